"""What recorded answers say about one patient, answer by answer, beside the truth that they were scored against."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gliobench.study.config.replay import Replication
from gliobench.study.config.study import StudyError
from gliobench.study.state.lacking import check_external_files
from gliobench.tasks.answer import Answered
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE, middle
from gliobench.tasks.geometry import Box, Grade, Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.replay.external import ExternalAnswer, ExternalAnswers
    from gliobench.replay.outcome import Outcome
    from gliobench.report.contents import Said, Sample


def external_sample(study: Replication, subject: str, model: str) -> "Sample":
    """What the answers called `model` say about a patient: the first answer to every input.

    Raises StudyError for a model that the study has not, and for a patient of whom its answers say nothing.
    """
    from gliobench.replay.read import read_external

    study, _ = check_external_files(study)
    config = next((config for config in study.replay if config.name == model), None)
    if config is None:
        raise StudyError(
            f"no model is named {model}; the study has {', '.join(config.name for config in study.replay)}"
        )
    external = read_external(config.answers, config.task, config.plane, config.coordinates, study.problem)
    if subject not in external.firsts:
        raise StudyError(f"{model} says nothing about {subject}; there are: {', '.join(sorted(external.firsts))}")
    return _sample(model, external, subject)


def external_report_samples(outcomes: Sequence["Outcome"], votes: "pd.DataFrame") -> Iterator["Sample"]:
    """Of each set of grades one patient graded wrongly and one graded rightly."""
    from gliobench.report.samples import sample_subjects

    for outcome in outcomes:
        if outcome.external.task == GRADE.name:
            plane = outcome.external.answers[0].frame.plane
            for subject in sample_subjects(votes, outcome.name, plane):
                yield _sample(outcome.name, outcome.external, subject)


def _sample(model: str, external: "ExternalAnswers", subject: str) -> "Sample":
    from gliobench.replay.standard import read_answer
    from gliobench.report.contents import Sample
    from gliobench.scoring.votes import count_votes, most_votes

    about = external.firsts[subject]
    said, plane = tuple(_said(external, answer) for answer in about), about[0].frame.plane
    truth = about[0].truth
    if not isinstance(truth, Grade):
        return Sample(model, subject, external.task, plane, None, said, problem=external.problem)
    votes = count_votes([read_answer(external, answer) for answer in about], external.problem)
    tally = external.tallies.get(subject)
    counted = None if tally is None else (*tally.counts, tally.none, tally.unanswered)
    called, problem = most_votes(votes), external.problem
    return Sample(model, subject, external.task, plane, truth.value, said, votes, called, counted, problem)


def _said(external: "ExternalAnswers", answer: "ExternalAnswer") -> "Said":
    from gliobench.replay.standard import read_answer
    from gliobench.report.contents import Said

    read = read_answer(external, answer)
    fault = "" if isinstance(read, Answered) else type(read).__name__.lower()
    truth = "" if external.task == GRADE.name else _true(external.task, answer.truth)
    return Said(answer.frame.index, answer.text or "", fault, truth)


def _true(task: str, truth: Value | None) -> str:
    if truth is None:
        return "none"
    if task == CENTRE.name and isinstance(truth, Box):  # what centres are scored against
        point = middle(truth)
        return f"({point.row:g}, {point.column:g}), box {BOX.write(truth)}"
    return TASKS[task].write(truth)
