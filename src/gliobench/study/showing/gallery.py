"""The pictures of a report: a slice of each of a few test patients, with the truth and every model's answer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.frame import Plane, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import places
from gliobench.study.asking.questions import asked_slices, in_turn, largest_slice
from gliobench.study.state.context import Context
from gliobench.tasks.answer import Answered
from gliobench.tasks.chain import depth
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.mask import empty

if TYPE_CHECKING:
    from gliobench.report.contents import GalleryItem

PATIENTS = 6


def gallery(context: Context) -> list["GalleryItem"]:
    """One item per patient, the classes in turn: of the slices of the first scan that were asked, the one with most
    of the target."""
    plane = context.study.slices.planes[0]
    slices = {
        id: indices
        for id, indices in asked_slices(context, plane).items()
        if indices and context.subjects[id].labels is not None
    }
    first = {context.patients[id]: context.subjects[id] for id in reversed(list(slices))}
    shown = in_turn(list(first.values())[::-1])[:PATIENTS]
    shown_at = {subject.id: largest_slice(subject, plane, slices[subject.id]) for subject in shown}
    answers = {config.name: places(context, config.name, plane) for config in context.study.models}
    return [
        slice_item(
            context, context.subjects[id], plane, index, {name: own.get(id, []) for name, own in answers.items()}
        )
        for id, index in shown_at.items()
    ]


def slice_item(
    context: Context, subject: PreparedSubject, plane: Plane, index: int, records: Mapping[str, Sequence[Record]]
) -> "GalleryItem":
    """One slice with the finest answer that each model gave about it; `records`: by model, its `places` of the patient.

    A model that was not asked about the slice is left out.
    """
    from gliobench.report.contents import GalleryItem

    about = {
        model: [record for record in own if record.plane is None or record.index == index]
        for model, own in records.items()
    }
    truth = None
    if subject.labels is not None:
        truth = Mask(subject.frame(plane, index), np.ascontiguousarray(take_slice(subject.tumour, plane, index)))
    return GalleryItem(
        subject=subject.id,
        grade=subject.grade,
        problem=subject.problem,
        plane=plane,
        index=index,
        image=grey_slice(subject, subject.problem.names[0], plane, index),
        truth=truth,
        answers={model: _finest(context, subject, plane, index, own) for model, own in about.items() if own},
    )


def _finest(
    context: Context, subject: PreparedSubject, plane: Plane, index: int, records: Sequence[Record]
) -> Value | None:
    """The finest usable answer, an empty mask where it says that there is no tumour; None where none is usable."""
    for record in sorted(records, key=lambda record: depth(record.task)):
        answer = record_answer(record, subject, Arrays(context.folder.masks))
        if isinstance(answer, Answered):
            return answer.value or empty(subject.frame(plane, index))
    return None
