"""The tumour's centre: the middle of its bounding box."""

from collections.abc import Callable, Mapping
from typing import Any

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer
from gliobench.tasks.base import Drawing, Numbers, Task
from gliobench.tasks.box import BOX, of_points
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Box, Mask, Point, Polygon, Value
from gliobench.tasks.mask import MASK
from gliobench.tasks.points import Found, Place, find_bare_pair, find_lists
from gliobench.tasks.polygon import POLYGON
from gliobench.tasks.reading import read_places, whole


class CentreTask(Task):
    """The tumour's centre: the middle of its bounding box."""

    name, value_type, json_key = "centre", Point, "point"
    summary = "the target's centre in a slice, the middle of its bounding box: (row, col)"
    expected = "a point such as (35, 51)"
    compared_as, primary = "place", ("distance_to_centre_mm", "in_box")
    in_coordinates = True
    shape = (2,)

    @property
    def derived_from(self) -> Mapping[str, Callable[[Any], Value | None]]:
        return {MASK.name: self.of_mask, POLYGON.name: _of_outline, BOX.name: middle}

    def of_mask(self, mask: Mask) -> Point | None:
        """The middle of the box of every tumour pixel of the slice; halves are kept. None where there is no tumour."""
        found = BOX.of_mask(mask)
        return None if found is None else middle(found)

    @property
    def truth_task(self) -> Task:
        """The box: a centre is also compared with it."""
        return BOX

    def write(self, value: Any) -> str:
        """`(row, col)` in whole pixels, halves up."""
        self.expect(value)
        return f"({whole(value.row)}, {whole(value.column)})"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The point in a text: `(row, col)` in any brackets or none, `row 12, col 40`, `x=40, y=12`.

        Repetitions of the same point count as one.
        """

        def point(points: tuple[Place, ...]) -> Point:
            ((row, column),) = points
            return Point(frame, row, column)

        return read_places(text, frame, cut_off, _find, point, self.expected, self.problem.target, coordinates)

    def pattern(self, numbers: Numbers) -> str:
        return rf"({numbers.pair}|none)"

    def longest(self, shape: tuple[int, int]) -> str:
        return f"({shape[0] - 1}, {shape[1] - 1})"

    def to_json(self, value: Any) -> list[float]:
        return [value.row, value.column]

    def from_json(self, content: Any, frame: SliceFrame | None) -> Point:
        assert frame is not None
        row, column = content
        return Point(frame, row, column)

    def enlarge(self, value: Any, scale: int) -> Point:
        row, column = ((place + 0.5) * scale - 0.5 for place in self.to_json(value))
        return Point(value.frame.enlarged(scale), row, column)

    def reduce(self, value: Any, frame: SliceFrame, scale: int) -> Point:
        """Its coordinates to fractions of a pixel."""
        row, column = ((place + 0.5) / scale - 0.5 for place in self.to_json(value))
        return Point(frame, row, column)

    def drawn(self, value: Any) -> Drawing:
        return Drawing(cross=(value.row, value.column))


CENTRE = CentreTask()


def middle(value: Box) -> Point:
    """The middle of a box, in pixels; halves are kept."""
    return Point(value.frame, (value.row_min + value.row_max) / 2, (value.column_min + value.column_max) / 2)


def _of_outline(outline: Polygon) -> Point:
    return middle(of_points(outline))


def _find(text: str, cut_off: bool) -> list[Found]:
    single = [
        points.found(points.points[:1], finished=True)
        for points in find_lists(text, False)
        if len(set(points.points)) == 1
    ]
    return single or find_bare_pair(text, cut_off)
