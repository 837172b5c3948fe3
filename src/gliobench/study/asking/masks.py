"""The masks of whole patients that a model of the study gave."""

from gliobench.records.record import record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import current_answers
from gliobench.study.state.context import Context
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK


def predicted_masks(context: Context, model: str) -> dict[str, VolumeMask]:
    """By patient. Raises StageError before `predict` has finished with the model."""
    masks, context = {}, context.where(model)
    for record in current_answers(context, model):
        if record.task != MASK.name or record.plane is not None:
            continue
        answer = record_answer(record, context.subjects[record.subject], Arrays(context.folder.masks))
        if isinstance(answer, Answered) and isinstance(answer.value, VolumeMask):
            masks[record.subject] = answer.value
    return masks
