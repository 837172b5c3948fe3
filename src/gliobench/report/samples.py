"""What a model said about one patient, answer by answer, as the reference study prints it: text for people.

Classes come with their tally and the true label; `gliobench replay` reads these lines again.
"""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from gliobench.cohort.problem import Problem
from gliobench.errors import printable
from gliobench.report.contents import Said, Sample
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import task_words

UNREAD = "ERROR: Unknown >>"  # the reference study's mark before a grade that could not be read
LONGEST = 200  # characters of a line in a report


def sample_lines(sample: Sample) -> Iterator[str]:
    """A heading, one line per answer, and of classes their tally, such as `Tally [LGG, HGG, none, unread]: [6,
    38, 6, 2]`, and the true label.

    An answer's line breaks stand as `||`, and nothing in it can steer a terminal.
    """
    asked, where = task_words(sample.task, sample.problem), sample.plane or "whole patient"
    yield printable(f"{sample.model}, {sample.subject}: {asked}, {where}")
    for said in sample.said:
        place = "Whole patient" if said.index is None else f"Slice #{said.index}"
        yield f"{place} => {_graded(said, sample.problem) if sample.task == GRADE.name else _placed(said)}"
    faults = Counter(said.fault for said in sample.said if said.fault)
    unread = ", ".join(f"{count} {fault}" for fault, count in sorted(faults.items()))
    unread = f" ({unread})" if unread else ""
    if sample.votes is None:
        yield f"Answered: {len(sample.said) - faults.total()} of {len(sample.said)}{unread}"
        return
    counts = (*sample.votes.counts, sample.votes.none, sample.votes.unanswered)
    if sample.plane is not None:
        yield f"Tally [{', '.join(sample.problem.classes)}, none, unread]: {list(counts)}{unread}"
    if sample.tally not in (None, counts):
        yield f"In the file itself: {list(sample.tally or ())}"
    truth, called = _name(sample, sample.grade, "unknown"), _name(sample, sample.called, "none")
    yield f"True Label: {truth} || Prediction Label: {called}"


def report_lines(sample: Sample) -> list[str]:
    """The same without the heading, long lines cut."""
    _, *lines = sample_lines(sample)
    return [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines]


def sample_title(sample: Sample) -> str:
    """`model, patient (axial): true HGG, called LGG`."""
    truth = _name(sample, sample.grade, "unknown")
    called = _name(sample, sample.called, "none" if sample.problem.several else "neither")
    return f"{sample.model}, {sample.subject} ({sample.plane}): true {truth}, called {called}"


def sample_subjects(votes: pd.DataFrame, model: str, plane: str) -> list[str]:
    """The first patient by id whom the model graded wrongly, or not at all, then the first whom it graded rightly."""
    rows = votes[(votes["model"] == model) & (votes["plane"] == plane) & votes["grade"].notna()]
    rows = rows.sort_values("subject", kind="stable")
    right = rows["predicted"].astype("Int64").eq(rows["grade"].astype("Int64")).fillna(False).astype(bool)
    return [str(part["subject"].iloc[0]) for part in (rows[~right], rows[right]) if len(part)]


def _graded(said: Said, problem: Problem) -> str:
    probability = ""
    if said.score is not None:
        probability = f"\nProbability of {problem.classes[problem.positive_class]}: {said.score:.3f}"
    elif said.probabilities is not None:
        each = zip(problem.classes, said.probabilities, strict=True)
        probability = f"\nProbabilities: {', '.join(f'{name} {share:.3f}' for name, share in each)}"
    return _flat((f"{UNREAD} " if said.fault else "") + said.text + probability)


def _placed(said: Said) -> str:
    fault = f", {said.fault}" if said.fault else ""
    return f"Ground truth: {_flat(said.truth)} || Model output{fault}: {_flat(said.text)}"


def _flat(text: str) -> str:
    return printable(" || ".join(text.splitlines()))


def _name(sample: Sample, grade: int | None, nothing: str) -> str:
    return nothing if grade is None else sample.problem.class_name(grade)
