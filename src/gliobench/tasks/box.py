"""The tumour's bounding box: from its first to its last row and column, both inside."""

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Box, Mask, Value
from gliobench.tasks.points import Found, Place, find_edges, find_lists, find_quads
from gliobench.tasks.reading import read_places, whole


def truth(mask: Mask) -> Box | None:
    """The smallest box that holds every tumour pixel of the slice, edges inclusive; None where there is none."""
    if not mask.pixels.any():
        return None
    rows, columns = (np.flatnonzero(mask.pixels.any(axis=axis)) for axis in (1, 0))
    return Box(mask.frame, int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1]))


def write(value: Value) -> str:
    """`(row_min, col_min, row_max, col_max)` in whole pixels."""
    if not isinstance(value, Box):
        raise TypeError(f"a box is expected, got a {type(value).__name__}")
    edges = (value.row_min, value.column_min, value.row_max, value.column_max)
    return f"({', '.join(whole(edge) for edge in edges)})"


def parse(text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
    """The box that a text says: the smallest that holds all the corners said, whatever their order.

    Read are `[r0, c0, r1, c1]`; four corners, also where they are not quite square; two opposite corners, listed
    together or called top left and bottom right; and the four edges by name (`row_min`, `top`, …).
    """

    def box(points: tuple[Place, ...]) -> Box:
        rows, columns = zip(*points, strict=True)
        return Box(frame, min(rows), min(columns), max(rows), max(columns))

    return read_places(text, frame, cut_off, _find, box, "a box such as (12, 30, 58, 71)", coordinates)


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
