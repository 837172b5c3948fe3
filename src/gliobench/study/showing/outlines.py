"""Truth and answer in three dimensions: the slices of one patient that are drawn, and a figure of them on demand."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.scoring.truth import cut
from gliobench.study.asking.answers import places
from gliobench.study.asking.questions import asked_slices
from gliobench.study.showing.atlas import Plate, evenly
from gliobench.study.showing.gallery import slice_item
from gliobench.study.state.context import Context, StageError
from gliobench.tasks.answer import Answered
from gliobench.tasks.chain import depth
from gliobench.tasks.geometry import Mask, Placed, Value, VolumeMask

if TYPE_CHECKING:
    from gliobench.report.contents import GalleryItem, OutlineItem

MOST_SLICES = 16  # more outlines hide one another


def outlines(context: Context, subjects: Collection[str]) -> list["OutlineItem"]:
    """One item per patient and model that gave a location; trivial baselines only where no other model gave one."""
    baselines = [config.name for config in context.study.models if config.trivial]
    models = [config.name for config in context.study.models if config.name not in baselines]
    found = [item for item in _items(context, models, subjects) if item.answer]
    return found or [item for item in _items(context, baselines, subjects) if item.answer]


def write_figures(context: Context, subject: str, models: Collection[str] | None, folder: Path) -> list[Path]:
    """Draw one patient's truth with the answer of each of `models`, or of all that gave a place; returns the files.

    Raises StageError for a model that the study has not, and a patient that was asked about by none of them.
    """
    from gliobench.report.outlines import write_outlines

    wanted = _wanted(context, models)
    items = _items(context, wanted, [subject])
    if not items:
        raise StageError(
            f"{subject}: no centre, box, polygon or mask of {', '.join(wanted)} to draw; "
            f"the test patients are {', '.join(context.tested)}"
        )
    paths = [folder / file_name(item.subject, item.model) for item in items]
    for item, path in zip(items, paths, strict=True):
        write_outlines(item, path)
    return paths


def all_plates(context: Context, models: Collection[str] | None) -> tuple[list[Plate], list[str]]:
    """Every test patient to draw, in the order of the split, and the models that were asked for a place, in the
    study's. Raises StageError as `write_figures` does."""
    plane, wanted = context.study.slices.planes[0], _wanted(context, models)
    answers = {name: found for name in wanted if (found := places(context, name, plane))}
    if not answers:
        raise StageError(f"no centre, box, polygon or mask of {', '.join(wanted)} to draw")
    slices = asked_slices(context, plane)
    plates = []
    for id in context.tested:
        own = {name: found[id] for name, found in answers.items() if id in found}
        plates.append(_plate(context, context.subjects[id], plane, own, evenly(slices.get(id, []))))
    return plates, list(answers)


def _plate(
    context: Context,
    subject: PreparedSubject,
    plane: Plane,
    records: Mapping[str, Sequence[Record]],
    indices: Sequence[int],
) -> Plate:
    said = {model: [(one.key, one.kind, one.value) for one in own] for model, own in records.items()}

    def drawn_outlines() -> Iterator["OutlineItem"]:
        return (_item(context, model, subject, plane, own) for model, own in records.items())

    def drawn_slices() -> Iterator["GalleryItem"]:
        return (slice_item(context, subject, plane, index, records) for index in indices)

    inputs = [subject.content, plane, indices, said]
    return Plate(subject.id, subject.grade, inputs, drawn_outlines, drawn_slices, subject.problem)


def _wanted(context: Context, models: Collection[str] | None) -> list[str]:
    names = [config.name for config in context.study.models]
    if unknown := sorted(set(models or ()) - set(names)):
        raise StageError(f"no model is named {', '.join(unknown)}; the study has {', '.join(names)}")
    return [name for name in names if not models or name in models]


def file_name(subject: str, what: str, ending: str = "png") -> str:
    """The name of a patient's file; one that leads nowhere else, whatever a patient is called."""
    return f"{subject}-{what}.{ending}".replace("/", "_").replace("\\", "_")


def _items(context: Context, models: Sequence[str], subjects: Collection[str]) -> list["OutlineItem"]:
    by_subject: dict[str, list[OutlineItem]] = {id: [] for id in subjects}
    plane = context.study.slices.planes[0]
    for model in models:
        answers = places(context, model, plane)
        for id, items in by_subject.items():
            if id in answers:
                items.append(_item(context, model, context.subjects[id], plane, answers[id]))
    return [item for items in by_subject.values() for item in items]


def _item(
    context: Context, model: str, subject: PreparedSubject, plane: Plane, records: Sequence[Record]
) -> "OutlineItem":
    from gliobench.report.contents import OutlineItem

    task = min((record.task for record in records), key=lambda task: (not _answered(records, task), depth(task)))
    own = [record for record in records if record.task == task]
    answers = [record_answer(record, subject, Arrays(context.folder.masks)) for record in own]
    answered = [answer.value for answer in answers if isinstance(answer, Answered)]
    values = [value for value in answered if value is not None]
    drawn = _slices(subject, plane, [record.index for record in own if record.index is not None], values)
    return OutlineItem(
        subject=subject.id,
        grade=subject.grade,
        problem=subject.problem,
        model=model,
        task=task,
        plane=plane,
        affine=subject.affine,
        truth=list(_cut(subject, subject.tumour, plane, drawn)),
        answer=[value for value in _by_slice(subject, plane, drawn, values) if value.frame.index in drawn],
        per_slice=own[0].index is not None,
        n_asked=len(own),
        n_answered=len(answered),
    )


def _answered(records: Sequence[Record], task: str) -> bool:
    return any(record.kind == "answered" for record in records if record.task == task)


def _slices(subject: PreparedSubject, plane: Plane, asked: Sequence[int], values: Sequence[Value]) -> list[int]:
    """The indices to draw: all slices with truth or answer in steps of those asked about, `MOST_SLICES` at most."""
    step = min((after - before for before, after in pairwise(sorted(asked))), default=1)
    found = [*asked, *_extent(subject.tumour, plane)]
    for value in values:
        if isinstance(value, VolumeMask):
            found += _extent(value.voxels, plane)
    if not found:
        return []
    start = min(found) + (asked[0] - min(found)) % step if asked else min(found)
    indices = list(range(start, max(found) + 1, step))
    return indices[:: -(-len(indices) // MOST_SLICES)]


def _extent(voxels: NDArray[np.bool_], plane: Plane) -> list[int]:
    """The first and the last slice that is not empty; nothing where all are."""
    across = tuple(axis for axis in range(3) if axis != INDEX_AXIS[plane])
    indices = np.flatnonzero(voxels.any(axis=across))
    return [int(indices[0]), int(indices[-1])] if len(indices) else []


def _by_slice(
    subject: PreparedSubject, plane: Plane, drawn: Sequence[int], values: Sequence[Value]
) -> Iterator[Placed]:
    """The values of slices as they are; a mask of the whole patient slice by slice."""
    for value in values:
        if isinstance(value, VolumeMask):
            yield from _cut(subject, value.voxels, plane, drawn)
        elif isinstance(value, Placed):
            yield value


def _cut(subject: PreparedSubject, voxels: NDArray[np.bool_], plane: Plane, indices: Sequence[int]) -> Iterator[Mask]:
    """The slices that are not empty."""
    masks = (cut(voxels, subject.frame(plane, index)) for index in indices)
    return (mask for mask in masks if mask.pixels.any())
