"""Where a promptable segmenter is pointed to: the true tumour's place, or the place that another model answered."""

from functools import lru_cache

import numpy as np

from gliobench.grid.frame import Plane, SliceFrame, take_slice
from gliobench.models.base.prediction import Question
from gliobench.models.vision.segmenter import Prompts
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import answers_digest, current_answers
from gliobench.study.kinds.segmenter import SegmenterConfig
from gliobench.study.kinds.vision import TRUTH
from gliobench.study.state.context import Context, StageError
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.chain import coarsen
from gliobench.tasks.geometry import Mask, Value, VolumeMask
from gliobench.tasks.mask import empty


def make_prompts(context: Context, config: SegmenterConfig) -> Prompts:
    """The places that `part` is prompted with. Raises StageError where its source has answered nothing that gives any.

    No tumour in a slice, by the truth or by an answer, is an empty mask; an answer that could not be used is Missing,
    with the reason.
    """
    if config.source == TRUTH:
        return Prompts(config.prompt, lambda question: _true_place(question, config.usable_tasks[0]), {"from": TRUTH})
    records = _nearest_records(context, config)
    digest = answers_digest(context, config.source)
    arrays = Arrays(context.folder.masks)

    @lru_cache(maxsize=1)  # questions come patient by patient
    def whole(id: str) -> Answer:
        return record_answer(records[id, None, None], context.subjects[id], arrays)

    def said(question: Question) -> Answer:
        frame = question.frame
        assert frame is not None
        subject = question.subject
        if (record := records.get((subject.id, frame.plane, frame.index))) is not None:
            return _place(record_answer(record, subject, arrays), frame, config)
        if (subject.id, None, None) in records:
            return _place(whole(subject.id), frame, config)
        return Missing(f"{config.source} was not asked about this slice, so there is no place to prompt with")

    return Prompts(config.prompt, said, {"from": config.source, "answers": digest})


def _true_place(question: Question, task: str) -> Answer:
    frame = question.frame
    assert frame is not None
    pixels = np.ascontiguousarray(take_slice(question.subject.tumour, frame.plane, frame.index))
    return Answered(coarsen(Mask(frame, pixels), task) or empty(frame))


def _nearest_records(context: Context, config: SegmenterConfig) -> dict[tuple[str, Plane | None, int | None], Record]:
    """By patient and slice (None: the whole patient), the answers to the task from which the place follows soonest."""
    answers = current_answers(context, config.source)
    for task in config.usable_tasks:
        if found := {(one.subject, one.plane, one.index): one for one in answers if one.task == task}:
            return found
    raise StageError(
        f"{config.name}: from: {config.source} has no answers to {' or '.join(config.usable_tasks)}, from which a "
        f"{config.prompt} follows"
    )


def _place(answer: Answer, frame: SliceFrame, config: SegmenterConfig) -> Answer:
    """The place that follows from an answer about a slice or a whole patient."""
    if isinstance(answer, Answered):
        place = None if answer.value is None else coarsen(_in_slice(answer.value, frame), config.usable_tasks[0])
        return Answered(place or empty(frame))
    kind = type(answer).__name__.lower()
    return Missing(f"{config.source} gave no place to prompt with: {kind}, {answer.reason}")


def _in_slice(value: Value, frame: SliceFrame) -> Value:
    if not isinstance(value, VolumeMask):
        return value
    return Mask(frame, np.ascontiguousarray(take_slice(value.voxels, frame.plane, frame.index)))
