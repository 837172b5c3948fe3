"""The tumour's outline: 10 to 15 points, clockwise from the northernmost."""

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Mask, Polygon, Value
from gliobench.tasks.outline import trace_outline
from gliobench.tasks.points import Found, Place, find_lists
from gliobench.tasks.reading import read_places, whole


def truth(mask: Mask) -> Polygon | None:
    """The outline of the largest component of the slice's tumour, holes filled; None where there is no tumour.

    Whole pixels on the component's boundary: `gliobench.tasks.outline.trace_outline` says which.
    """
    points = trace_outline(mask.pixels)
    return None if points is None else Polygon(mask.frame, tuple(points))


def write(value: Value) -> str:
    """`((row, col), (row, col), …)` in whole pixels."""
    if not isinstance(value, Polygon):
        raise TypeError(f"a polygon is expected, got a {type(value).__name__}")
    return f"({', '.join(f'({whole(row)}, {whole(column)})' for row, column in value.points)})"


def parse(text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
    """The outline that a text says: a list of 3 points or more, in the order given.

    More or fewer points than the 10 to 15 asked for are still an outline. One that stops in the middle is not, nor is
    a flat list of numbers, which could as well be all rows and then all columns.
    """

    def polygon(points: tuple[Place, ...]) -> Polygon:
        return Polygon(frame, points)

    return read_places(
        text, frame, cut_off, _find, polygon, "a polygon such as ((12, 40), (15, 52), (30, 47), …)", coordinates
    )


def _find(text: str, cut_off: bool) -> list[Found]:
    lists = find_lists(text, cut_off)
    return [
        points.found(points.without_closing_point, finished=not points.unfinished)
        for points in lists
        if len(points.without_closing_point) >= 3 or points.unfinished
    ]
