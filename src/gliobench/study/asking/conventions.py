"""Whether a study's models seem to count places in another way than their answers are read."""

from collections.abc import Iterator

from gliobench.grid.frame import take_slice
from gliobench.models.views.view import View
from gliobench.scoring.conventions import Said, suspicion
from gliobench.study.asking.answers import current_answers
from gliobench.study.state.context import Context
from gliobench.tasks.geometry import Mask
from gliobench.tasks.registry import TASKS


def suspicions(context: Context) -> Iterator[str]:
    """A warning for every model and task whose answers fit the truth much better read otherwise."""
    for config in context.answering:
        for task in (name for name, known in TASKS.items() if known.in_coordinates):
            if (view := config.picture) is not None and task in config.spoken_tasks:
                said = list(_said(context, config.name, task, view))
                if sentence := suspicion(config.name, said, view.coordinates):
                    yield sentence


def _said(context: Context, model: str, task: str, view: View) -> Iterator[Said]:
    """Every text about a slice with tumour, with the truth in the pixels as shown."""
    for record in current_answers(context, model):
        subject = context.subjects[record.subject]
        if record.task != task or record.text is None or record.plane is None or subject.labels is None:
            continue
        assert record.index is not None
        frame = subject.frame(record.plane, record.index)
        truth = TASKS[task].of_mask(Mask(frame, take_slice(subject.tumour, record.plane, record.index)))
        if truth is not None:
            yield Said(task, record.text, view.shown_frame(frame), view.from_frame(truth))
