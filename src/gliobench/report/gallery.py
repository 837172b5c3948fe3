"""Slices with the truth and every model's answer drawn over them."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import SliceFrame, take_slice
from gliobench.report.contents import GalleryItem
from gliobench.tasks.base import Drawing, Ring
from gliobench.tasks.geometry import Value, VolumeMask
from gliobench.tasks.mask import mask_rings
from gliobench.tasks.registry import task_about, task_of


@dataclass(frozen=True)
class Tile:
    """One model's answer on one slice: an SVG path in millimetres, or a cross, or `words` on the tile. `asked`: False
    where the model was not."""

    path: str
    cross: tuple[float, float] | None
    words: str
    asked: bool = True


@dataclass(frozen=True)
class Strip:
    """One slice: its picture as a PNG data address, its size in millimetres, the truth and one tile per model. `task`:
    what all models were asked, if they were asked the same."""

    subject: str
    grade: str
    plane: str
    index: int
    picture: str
    width: float
    height: float
    truth: Tile
    tiles: tuple[Tile, ...]
    task: str = ""


def gallery_models(items: Sequence[GalleryItem], models: list[str]) -> list[str]:
    """The columns: every model that answered about any of the slices, in the order of `models`, others after them."""
    found = list(dict.fromkeys(model for item in items for model in item.answers))
    return [model for model in models if model in found] + [model for model in found if model not in models]


def draw_gallery(items: Sequence[GalleryItem], models: list[str]) -> list[Strip]:
    """One strip per slice, with one tile for each of `models`."""
    return [_strip(item, models) for item in items]


def class_words(problem: Problem, number: int | None) -> str:
    """A patient's class, or that it is unknown; empty where the problem has none."""
    return f"{problem.asked} unknown" if number is None else problem.class_name(number)


def _strip(item: GalleryItem, models: list[str]) -> Strip:
    spacing = _spacing_mm(item)
    rows, columns = item.image.shape
    tiles = tuple(
        _tile(item.answers[model], item, spacing) if model in item.answers else Tile("", None, "not asked", asked=False)
        for model in models
    )
    grade = class_words(item.problem, item.grade)
    size = (round(columns * spacing[1], 2), round(rows * spacing[0], 2))
    picture, truth = _picture(item.image), _truth_tile(item, spacing)
    return Strip(item.subject, grade, item.plane, item.index, picture, *size, truth, tiles, item.task)


def _truth_tile(item: GalleryItem, spacing: tuple[float, float]) -> Tile:
    if item.truth is None:
        return Tile("", None, "no truth")
    tile = _tile(item.truth, item, spacing)
    return tile if tile.path else Tile("", None, f"no {item.problem.finding_words} here")


def _spacing_mm(item: GalleryItem) -> tuple[float, float]:
    """From the frame of the truth, else of any answer; square pixels where nothing says it."""
    for value in (item.truth, *item.answers.values()):
        if isinstance(frame := getattr(value, "frame", None), SliceFrame):
            return frame.spacing_mm
    return (1.0, 1.0)


def _picture(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _tile(value: Value | None, item: GalleryItem, spacing: tuple[float, float]) -> Tile:
    if value is None:
        return Tile("", None, "no usable answer")
    if isinstance(value, VolumeMask):
        drawing = Drawing(mask_rings(take_slice(value.voxels, item.plane, item.index)))
    else:
        drawing = task_about(item.problem, task_of(value).name).drawn(value)
    if drawing.cross:
        row, column = drawing.cross
        return Tile("", (round((column + 0.5) * spacing[1], 2), round((row + 0.5) * spacing[0], 2)), "")
    words = drawing.words or ("" if drawing.rings else f"says no {item.problem.finding_words}")
    return Tile(_path(drawing.rings, spacing), None, words)


def _path(found: Sequence[Ring], spacing: tuple[float, float]) -> str:
    """Closed rings of (row, column), pixels centred on whole numbers, as one SVG path in millimetres."""
    parts = []
    for ring in found:
        points = (f"{(column + 0.5) * spacing[1]:.1f} {(row + 0.5) * spacing[0]:.1f}" for row, column in ring)
        parts.append(f"M{'L'.join(points)}Z")
    return "".join(parts)
