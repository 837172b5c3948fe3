"""Between a slice's own pixels and the same slice shown `scale` times as large.

Pixels are centred on whole numbers, so a slice's pixel r becomes the shown pixels r * scale to r * scale + scale - 1,
whose middle is (r + 0.5) * scale - 0.5.
"""

from collections.abc import Callable

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, Value


def enlarged_frame(frame: SliceFrame, scale: int) -> SliceFrame:
    """The frame of a slice shown `scale` times as large: more and smaller pixels, the same millimetres."""
    (rows, columns), (row_mm, column_mm) = frame.shape, frame.spacing_mm
    return SliceFrame(frame.plane, frame.index, (rows * scale, columns * scale), (row_mm / scale, column_mm / scale))


def enlarge(value: Value, scale: int) -> Value:
    """A value of a slice in the pixels of the slice as shown; raises TypeError for a whole patient's mask."""

    def middle(place: float) -> float:
        return (place + 0.5) * scale - 0.5

    match value:
        case Grade():
            return value
        case Point() | Polygon():
            return _move(value, enlarged_frame(value.frame, scale), middle)
        case Box(frame, row_min, column_min, row_max, column_max):
            last = scale - 1
            first = (row_min * scale, column_min * scale)
            return Box(enlarged_frame(frame, scale), *first, row_max * scale + last, column_max * scale + last)
        case Mask():
            pixels = value.pixels.repeat(scale, axis=0).repeat(scale, axis=1)
            return Mask(enlarged_frame(value.frame, scale), pixels)
    raise TypeError(f"a {type(value).__name__} is not of one slice, so it cannot be shown with it")


def reduce(value: Value, frame: SliceFrame, scale: int) -> Value:
    """A value in the pixels of the slice as shown, in those of the slice itself, whose frame is `frame`.

    Points keep their place to fractions of a pixel, boxes their outer edges; a box smaller than a pixel becomes one
    pixel about its middle. A mask's pixel counts where at least half of what shows it is marked.
    Raises TypeError for a whole patient's mask.
    """

    def middle(place: float) -> float:
        return (place + 0.5) / scale - 0.5

    match value:
        case Grade():
            return value
        case Point() | Polygon():
            return _move(value, frame, middle)
        case Box(_, row_min, column_min, row_max, column_max):
            top, bottom = _reduce_edges(row_min, row_max, frame.shape[0], scale)
            left, right = _reduce_edges(column_min, column_max, frame.shape[1], scale)
            return Box(frame, top, left, bottom, right)
        case Mask():
            rows, columns = frame.shape
            marked = value.pixels.reshape(rows, scale, columns, scale).sum(axis=(1, 3))
            return Mask(frame, np.asarray(2 * marked >= scale**2))
    raise TypeError(f"a {type(value).__name__} is not of one slice, so it cannot be shown with it")


def _move(value: Point | Polygon, frame: SliceFrame, move: Callable[[float], float]) -> Point | Polygon:
    if isinstance(value, Point):
        return Point(frame, move(value.row), move(value.column))
    return Polygon(frame, tuple((move(row), move(column)) for row, column in value.points))


def _reduce_edges(first: float, last: float, size: int, scale: int) -> tuple[float, float]:
    low, high = first / scale, (last + 1) / scale - 1
    if low <= high:
        return low, high
    middle = min(max((low + high) / 2, 0.0), size - 1.0)
    return middle, middle
