"""The pictures of a report: a slice of each of a few test patients, with the truth and every model's answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.frame import Plane, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.answers import current_answers
from gliobench.study.context import Context
from gliobench.study.questions import asked_slices, in_turn, largest_slice
from gliobench.tasks.answer import Answered
from gliobench.tasks.chain import CHAIN
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.mask import empty

if TYPE_CHECKING:
    from gliobench.report.contents import GalleryItem

PATIENTS = 6


def gallery(context: Context) -> list["GalleryItem"]:
    """One item a patient, LGG and HGG in turn: of the slices of the first scan that were asked, the one with most
    tumour."""
    plane = context.study.slices.planes[0]
    slices = {
        id: indices
        for id, indices in asked_slices(context, plane).items()
        if indices and context.subjects[id].labels is not None
    }
    first = {context.patients[id]: context.subjects[id] for id in reversed(list(slices))}
    shown = in_turn(list(first.values())[::-1])[:PATIENTS]
    places = {subject.id: largest_slice(subject, plane, slices[subject.id]) for subject in shown}
    answers: dict[str, dict[str, Value | None]] = {
        part.name: _answers(context, part.name, plane, places) for part in context.study.models
    }
    return [_item(context.subjects[id], plane, index, answers) for id, index in places.items()]


def _item(
    subject: PreparedSubject, plane: Plane, index: int, answers: Mapping[str, Mapping[str, Value | None]]
) -> "GalleryItem":
    from gliobench.report.contents import GalleryItem

    return GalleryItem(
        subject=subject.id,
        grade=subject.grade,
        plane=plane,
        index=index,
        image=grey_slice(subject, "flair", plane, index),
        truth=Mask(subject.frame(plane, index), np.ascontiguousarray(take_slice(subject.tumour, plane, index))),
        answers={model: by_subject[subject.id] for model, by_subject in answers.items() if subject.id in by_subject},
    )


def _answers(context: Context, model: str, plane: Plane, places: Mapping[str, int]) -> dict[str, Value | None]:
    """By patient, the model's finest answer that can be drawn on the slice; None where it gave no usable one."""
    found: dict[str, Value | None] = {}
    for record in sorted(current_answers(context, model), key=_fineness):
        if record.task not in CHAIN or record.subject not in places or found.get(record.subject) is not None:
            continue
        if record.plane is None or (record.plane, record.index) == (plane, places[record.subject]):
            answer = record_answer(record, context.subjects[record.subject], Arrays(context.folder.masks))
            nothing = empty(context.subjects[record.subject].frame(plane, places[record.subject]))
            found[record.subject] = answer.value or nothing if isinstance(answer, Answered) else None
    return found


def _fineness(record: Record) -> int:
    return CHAIN.index(record.task) if record.task in CHAIN else len(CHAIN)
