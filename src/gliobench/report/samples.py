"""What a model said about one patient, answer by answer, as the reference study prints it: text for people.

Grades come with their tally and the true label; `gliobench replay` reads these lines again.
"""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from gliobench.cohort.subject import GRADE_NAMES
from gliobench.errors import printable
from gliobench.report.contents import Said, Sample
from gliobench.tasks.grade import GRADE

UNREAD = "ERROR: Unknown >>"  # the reference study's mark before a grade that could not be read
LONGEST = 200  # characters of a line in a report


def sample_lines(sample: Sample) -> Iterator[str]:
    """A heading, one line per answer, and of grades `Tally [LGG, HGG, none, unread]: [6, 38, 6, 2]` and the true label.

    An answer's line breaks stand as `||`, and nothing in it can steer a terminal.
    """
    yield printable(f"{sample.model}, {sample.subject}: {sample.task}, {sample.plane or 'whole patient'}")
    for said in sample.said:
        place = "Whole patient" if said.index is None else f"Slice #{said.index}"
        yield f"{place} => {_graded(said) if sample.task == GRADE.name else _placed(said)}"
    faults = Counter(said.fault for said in sample.said if said.fault)
    unread = ", ".join(f"{count} {fault}" for fault, count in sorted(faults.items()))
    unread = f" ({unread})" if unread else ""
    if sample.votes is None:
        yield f"Answered: {len(sample.said) - faults.total()} of {len(sample.said)}{unread}"
        return
    counts = (sample.votes.lgg, sample.votes.hgg, sample.votes.no_glioma, sample.votes.unanswered)
    if sample.plane is not None:
        yield f"Tally [LGG, HGG, none, unread]: {list(counts)}{unread}"
    if sample.tally not in (None, counts):
        yield f"In the file itself: {list(sample.tally or ())}"
    yield f"True Label: {_name(sample.grade, 'unknown')} || Prediction Label: {_name(sample.called, 'none')}"


def report_lines(sample: Sample) -> list[str]:
    """The same without the heading, long lines cut."""
    _, *lines = sample_lines(sample)
    return [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines]


def sample_title(sample: Sample) -> str:
    """`model, patient (axial): true HGG, called LGG`."""
    called = _name(sample.called, "neither")
    return f"{sample.model}, {sample.subject} ({sample.plane}): true {_name(sample.grade, 'unknown')}, called {called}"


def sample_subjects(votes: pd.DataFrame, model: str, plane: str) -> list[str]:
    """The first patient by id whom the model graded wrongly, or not at all, then the first whom it graded rightly."""
    rows = votes[(votes["model"] == model) & (votes["plane"] == plane) & votes["grade"].notna()]
    rows = rows.sort_values("subject", kind="stable")
    right = rows["predicted"].astype("Int64").eq(rows["grade"].astype("Int64")).fillna(False).astype(bool)
    return [str(part["subject"].iloc[0]) for part in (rows[~right], rows[right]) if len(part)]


def _graded(said: Said) -> str:
    probability = "" if said.score is None else f"\nProbability of HGG: {said.score:.3f}"
    return _flat((f"{UNREAD} " if said.fault else "") + said.text + probability)


def _placed(said: Said) -> str:
    fault = f", {said.fault}" if said.fault else ""
    return f"Ground truth: {_flat(said.truth)} || Model output{fault}: {_flat(said.text)}"


def _flat(text: str) -> str:
    return printable(" || ".join(text.splitlines()))


def _name(grade: int | None, nothing: str) -> str:
    return nothing if grade is None else GRADE_NAMES[grade]
