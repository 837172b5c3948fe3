"""The tumour's bounding box: from its first to its last row and column, both inside."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer
from gliobench.tasks.base import Drawing, Numbers, Task
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Box, Mask, Polygon, Value
from gliobench.tasks.mask import MASK
from gliobench.tasks.points import Found, Place, find_edges, find_lists, find_quads
from gliobench.tasks.polygon import POLYGON
from gliobench.tasks.reading import read_places, whole


class BoxTask(Task):
    """The tumour's bounding box: from its first to its last row and column, both inside."""

    name, value_type, json_key = "box", Box, "box"
    summary = "the target's bounding box in a slice: (row_min, col_min, row_max, col_max), edges inside"
    expected = "a box such as (12, 30, 58, 71)"
    compared_as, primary = "area", ("dice",)
    in_coordinates = has_area = True
    shape = (4,)
    truth_format = "[row_min, column_min, row_max, column_max], four numbers"

    @property
    def derived_from(self) -> Mapping[str, Callable[[Any], Value | None]]:
        return {MASK.name: self.of_mask, POLYGON.name: of_points}

    def of_mask(self, mask: Mask) -> Box | None:
        """The smallest box that holds every tumour pixel of the slice, edges inclusive; None where there is none."""
        if not mask.pixels.any():
            return None
        rows, columns = (np.flatnonzero(mask.pixels.any(axis=axis)) for axis in (1, 0))
        return Box(mask.frame, int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1]))

    def write(self, value: Any) -> str:
        """`(row_min, col_min, row_max, col_max)` in whole pixels."""
        self.expect(value)
        return f"({', '.join(map(whole, self.to_json(value)))})"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The box in a text: the smallest that contains all the corners given, in any order.

        Accepted are `[r0, c0, r1, c1]`; four corners, even if not quite rectangular; two opposite corners, listed
        together or called top left and bottom right; and the four edges by name (`row_min`, `top`, …).
        """
        target = self.problem.target
        return read_places(
            text, frame, cut_off, _find, lambda points: _around(frame, points), self.expected, target, coordinates
        )

    def pattern(self, numbers: Numbers) -> str:
        return rf"(\({numbers.row}, {numbers.column}, {numbers.row}, {numbers.column}\)|none)"

    def longest(self, shape: tuple[int, int]) -> str:
        row, column = (size - 1 for size in shape)
        return f"({row}, {column}, {row}, {column})"

    def to_json(self, value: Any) -> list[float]:
        return [value.row_min, value.column_min, value.row_max, value.column_max]

    def from_json(self, content: Any, frame: SliceFrame | None) -> Box:
        assert frame is not None
        row_min, column_min, row_max, column_max = content
        return Box(frame, row_min, column_min, row_max, column_max)

    def of_plain(self, content: Any, frame: SliceFrame | None) -> Value | None:
        found = super().of_plain(content, frame)
        if isinstance(found, Box) and (found.row_min > found.row_max or found.column_min > found.column_max):
            raise ValueError("a smallest edge is larger than the largest")
        return found

    def enlarge(self, value: Any, scale: int) -> Box:
        """The outer edges of its enlarged pixels."""
        last = scale - 1
        first = (value.row_min * scale, value.column_min * scale)
        return Box(value.frame.enlarged(scale), *first, value.row_max * scale + last, value.column_max * scale + last)

    def reduce(self, value: Any, frame: SliceFrame, scale: int) -> Box:
        """Its outer edges to fractions of a pixel; a box smaller than a pixel becomes one pixel around its centre."""
        top, bottom = _reduce_edges(value.row_min, value.row_max, frame.shape[0], scale)
        left, right = _reduce_edges(value.column_min, value.column_max, frame.shape[1], scale)
        return Box(frame, top, left, bottom, right)

    def fill(self, value: Any) -> Mask:
        """Its edges rounded to whole pixels (halves up), all four of them inside; pixels outside the frame are
        dropped."""
        pixels = np.zeros(value.frame.shape, dtype=bool)
        pixels[_span(value.row_min, value.row_max), _span(value.column_min, value.column_max)] = True
        return Mask(value.frame, pixels)

    def drawn(self, value: Any) -> Drawing:
        """The outer edges of its pixels."""
        top, left = value.row_min - 0.5, value.column_min - 0.5
        bottom, right = value.row_max + 0.5, value.column_max + 0.5
        return Drawing([[(top, left), (top, right), (bottom, right), (bottom, left)]])


BOX = BoxTask()


def of_points(outline: Polygon) -> Box:
    """The box of an outline's points, neither rounded nor clipped; for a traced outline exactly the box of the
    component traced."""
    return _around(outline.frame, outline.points)


def _around(frame: SliceFrame, points: tuple[Place, ...]) -> Box:
    rows, columns = zip(*points, strict=True)
    return Box(frame, min(rows), min(columns), max(rows), max(columns))


def _span(first: float, last: float) -> slice:
    return slice(max(math.floor(first + 0.5), 0), max(math.floor(last + 0.5) + 1, 0))


def _reduce_edges(first: float, last: float, size: int, scale: int) -> tuple[float, float]:
    low, high = first / scale, (last + 1) / scale - 1
    if low <= high:
        return low, high
    middle = min(max((low + high) / 2, 0.0), size - 1.0)
    return middle, middle


def _find(text: str, cut_off: bool) -> list[Found]:
    found = find_quads(text, cut_off) + find_edges(text)
    for points in find_lists(text, cut_off):
        said = points.without_closing_point
        opposite = len(said) == 2 and (points.bracketed or points.opposite_corners) and not points.unfinished
        if len(said) == 4 or opposite:
            found.append(points.found(said, finished=True))
        elif points.unfinished:
            found.append(points.found(said, finished=False))
    return found
