"""The tumour's centre: the middle of its bounding box."""

from gliobench.grid.frame import SliceFrame
from gliobench.tasks import box
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Box, Mask, Point, Value
from gliobench.tasks.points import Found, Place, find_bare_pair, find_lists
from gliobench.tasks.reading import read_places, whole


def truth(mask: Mask) -> Point | None:
    """The middle of the box of every tumour pixel of the slice; halves are kept. None where there is no tumour."""
    found = box.truth(mask)
    return None if found is None else middle(found)


def middle(value: Box) -> Point:
    """The middle of a box, in pixels; halves are kept."""
    return Point(value.frame, (value.row_min + value.row_max) / 2, (value.column_min + value.column_max) / 2)


def write(value: Value) -> str:
    """`(row, col)` in whole pixels, halves up."""
    if not isinstance(value, Point):
        raise TypeError(f"a point is expected, got a {type(value).__name__}")
    return f"({whole(value.row)}, {whole(value.column)})"


def parse(text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
    """The point that a text says: `(row, col)` in any brackets or none, `row 12, col 40`, `x=40, y=12`.

    Said again and again it is the same point.
    """

    def point(points: tuple[Place, ...]) -> Point:
        ((row, column),) = points
        return Point(frame, row, column)

    return read_places(text, frame, cut_off, _find, point, "a point such as (35, 51)", coordinates)


def _find(text: str, cut_off: bool) -> list[Found]:
    single = [
        points.found(points.points[:1], finished=True)
        for points in find_lists(text, False)
        if len(set(points.points)) == 1
    ]
    return single or find_bare_pair(text, cut_off)
