"""What a model of a run said about one patient, answer by answer, beside the truth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import NOTHING, answer_text
from gliobench.models.views.view import View
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.aggregate import aggregations
from gliobench.study.asking.answers import answered_items, current_answers
from gliobench.study.asking.questions import true_answer
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context, StageError
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.report.contents import Said, Sample
    from gliobench.scoring.score import VoteRow


def samples(context: Context, subject: str, model: str) -> Iterator["Sample"]:
    """What a model said about a patient, a sample for each task and plane in the order asked.

    Raises StageError for a model that the study has not or that has not answered yet, and for a patient whom it was not
    asked about.
    """
    config = next((config for config in context.study.models if config.name == model), None)
    if config is None:
        names = ", ".join(config.name for config in context.study.models)
        raise StageError(f"no model is named {model}; the study has {names}")
    groups: dict[tuple[str, Plane | None], list[Record]] = {}
    for record in current_answers(context, model):
        if record.subject == subject:
            groups.setdefault((record.task, record.plane), []).append(record)
    if not groups:
        raise StageError(f"{model} was not asked about {subject}; the test patients are {', '.join(context.tested)}")
    for (task, plane), records in groups.items():
        yield _sample(context, config, context.subjects[subject], task, plane, records)


def report_samples(context: Context, votes: "pd.DataFrame") -> Iterator["Sample"]:
    """Of each language model's grades in the first plane, one patient graded wrongly and one graded rightly."""
    from gliobench.report.samples import sample_subjects

    plane = context.study.slices.planes[0]
    for config in context.study.models:
        if config.spoken_tasks:
            for subject in sample_subjects(votes, config.name, plane):
                yield from (
                    one
                    for one in samples(context, subject, config.name)
                    if (one.task, one.plane) == (GRADE.name, plane)
                )


def _sample(
    context: Context,
    config: ModelConfig,
    subject: PreparedSubject,
    task: str,
    plane: Plane | None,
    records: Sequence[Record],
) -> "Sample":
    from gliobench.report.contents import Sample

    view = config.picture or View()
    said = tuple(_said(context, subject, view, record) for record in records)
    if task != GRADE.name:
        return Sample(config.name, subject.id, task, plane, subject.grade, said, problem=subject.problem)
    vote = _vote(context, config, subject, records)
    return Sample(
        *(config.name, subject.id, task, plane, subject.grade, said, vote.votes, vote.predicted),
        problem=subject.problem,
    )


def _said(context: Context, subject: PreparedSubject, view: View, record: Record) -> "Said":
    """A model that writes is quoted; of the others the value is put into words."""
    from gliobench.report.contents import Said

    answer = record_answer(record, subject, Arrays(context.folder.masks))
    text = _words(record.task, answer) if record.text is None else record.text
    truth = "" if record.task == GRADE.name else _true(subject, view, record)
    fault = "" if isinstance(answer, Answered) else record.kind
    return Said(record.index, text, fault, truth, record.score, record.probabilities)


def _words(task: str, answer: Answer) -> str:
    if not isinstance(answer, Answered):
        return answer.reason
    if isinstance(answer.value, VolumeMask):
        return f"{np.count_nonzero(answer.value.voxels)} voxels"
    return NOTHING if answer.value is None else TASKS[task].write(answer.value)


def _true(subject: PreparedSubject, view: View, record: Record) -> str:
    """The truth in the pixels that the model counts."""
    if record.plane is None or record.index is None:
        return f"{np.count_nonzero(subject.tumour)} voxels"
    frame = subject.frame(record.plane, record.index)
    return answer_text(Question(subject, record.task, frame), true_answer(subject, record.task, frame), view)


def _vote(context: Context, config: ModelConfig, subject: PreparedSubject, records: Sequence[Record]) -> "VoteRow":
    """The votes and the grade that counts, as they are scored."""
    from gliobench.scoring.score import score_subject

    alone = replace(context, study=context.study.model_copy(update={"models": (config,)}))
    (how,) = (aggregations(alone, one) for one in context.rounds if subject.id in one.test)
    (vote,) = score_subject(subject, answered_items(context, subject, records), {}, aggregations=how).votes
    return vote
