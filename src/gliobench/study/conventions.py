"""Whether a study's models seem to count places in another way than their answers are read."""

from collections.abc import Iterator

from gliobench.grid.frame import take_slice
from gliobench.scoring.conventions import Said, suspicion
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.answers import current_answers
from gliobench.study.context import Context
from gliobench.study.language_parts import LanguageModel, ServerModel
from gliobench.tasks.coordinates import PLACES
from gliobench.tasks.geometry import Mask
from gliobench.tasks.registry import TASKS

Speaks = LanguageModel | ServerModel | ReplayModel


def suspicions(context: Context) -> Iterator[str]:
    """A warning for every model and task whose answers fit the truth much better read otherwise."""
    for part in context.study.models:
        if isinstance(part, Speaks):
            for task in PLACES:
                said = list(_said(context, part, task))
                if sentence := suspicion(part.name, said, part.view.to_view().coordinates):
                    yield sentence


def _said(context: Context, part: Speaks, task: str) -> Iterator[Said]:
    """Every text about a slice with tumour, with the truth in the pixels as shown."""
    view = part.view.to_view()
    for record in current_answers(context, part.name):
        subject = context.subjects[record.subject]
        if record.task != task or record.text is None or record.plane is None or subject.labels is None:
            continue
        assert record.index is not None
        frame = subject.frame(record.plane, record.index)
        truth = TASKS[task].truth(Mask(frame, take_slice(subject.tumour, record.plane, record.index)))
        if truth is not None:
            yield Said(task, record.text, view.shown_frame(frame), view.from_frame(truth))
