"""The tumour's outline: 10 to 15 points, clockwise from the northernmost."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer
from gliobench.tasks.base import Drawing, Numbers, Task
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Mask, Polygon, Value
from gliobench.tasks.mask import MASK
from gliobench.tasks.outline import MAX_POINTS, MIN_POINTS, trace_outline
from gliobench.tasks.points import Found, Place, find_lists
from gliobench.tasks.reading import read_places, whole


class PolygonTask(Task):
    """The tumour's outline: 10 to 15 points, clockwise from the northernmost."""

    name, value_type, json_key = "polygon", Polygon, "polygon"
    summary = "the target's outline in a slice: 10 to 15 points ((row, col), …)"
    expected = "a polygon such as ((12, 40), (15, 52), (30, 47), …)"
    compared_as, primary = "area", ("dice",)
    in_coordinates = has_area = True
    shape = (-1, 2)
    truth_format = "[[row, column], …], pairs of numbers"

    @property
    def derived_from(self) -> Mapping[str, Callable[[Any], Value | None]]:
        return {MASK.name: self.of_mask}

    def of_mask(self, mask: Mask) -> Polygon | None:
        """The outline of the largest component of the slice's tumour, holes filled; None where there is no tumour.

        Whole pixels on the component's boundary: `gliobench.tasks.outline.trace_outline` says which.
        """
        points = trace_outline(mask.pixels)
        return None if points is None else Polygon(mask.frame, tuple(points))

    def write(self, value: Any) -> str:
        """`((row, col), (row, col), …)` in whole pixels."""
        self.expect(value)
        return f"({', '.join(f'({whole(row)}, {whole(column)})' for row, column in value.points)})"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The outline in a text: a list of 3 points or more, in the order given.

        More or fewer points than the 10 to 15 asked for are accepted. An incomplete list is not, nor is a flat list of
        numbers, which could be all rows and then all columns.
        """

        def polygon(points: tuple[Place, ...]) -> Polygon:
            return Polygon(frame, points)

        return read_places(text, frame, cut_off, _find, polygon, self.expected, self.problem.target, coordinates)

    def pattern(self, numbers: Numbers) -> str:
        return rf"(\({numbers.pair}(, {numbers.pair}){{{MIN_POINTS - 1},{MAX_POINTS - 1}}}\)|none)"

    def longest(self, shape: tuple[int, int]) -> str:
        return f"({', '.join([f'({shape[0] - 1}, {shape[1] - 1})'] * MAX_POINTS)})"

    def to_json(self, value: Any) -> list[list[float]]:
        return [list(point) for point in value.points]

    def from_json(self, content: Any, frame: SliceFrame | None) -> Polygon:
        assert frame is not None
        return Polygon(frame, tuple((row, column) for row, column in content))

    def enlarge(self, value: Any, scale: int) -> Polygon:
        points = (tuple((place + 0.5) * scale - 0.5 for place in point) for point in value.points)
        return Polygon(value.frame.enlarged(scale), tuple((row, column) for row, column in points))

    def reduce(self, value: Any, frame: SliceFrame, scale: int) -> Polygon:
        """Its points to fractions of a pixel."""
        points = (tuple((place + 0.5) / scale - 0.5 for place in point) for point in value.points)
        return Polygon(frame, tuple((row, column) for row, column in points))

    def fill(self, value: Any) -> Mask:
        """The pixels whose centres are inside or on the outline (`skimage.draw.polygon2mask`, for truth and answer
        alike)."""
        return Mask(value.frame, _filled(value.frame.shape, value.points))

    def drawn(self, value: Any) -> Drawing:
        return Drawing([list(value.points)])


POLYGON = PolygonTask()


@lru_cache(maxsize=512)
def _filled(shape: tuple[int, int], points: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    """Cached for a patient's slices, as each is filled for every coarser task and for the volume."""
    pixels: NDArray[np.bool_] = np.asarray(polygon2mask(shape, np.array(points, dtype=float)), dtype=bool)
    pixels.flags.writeable = False
    return pixels


def _find(text: str, cut_off: bool) -> list[Found]:
    lists = find_lists(text, cut_off)
    return [
        points.found(points.without_closing_point, finished=not points.unfinished)
        for points in lists
        if len(points.without_closing_point) >= 3 or points.unfinished
    ]
