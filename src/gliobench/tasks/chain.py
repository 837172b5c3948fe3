"""From a finer answer to a coarser one, and from any answer in a slice to a mask.

mask -> polygon -> box -> centre. From a mask every coarser value is taken directly, from its pixels: the box is that
of all tumour pixels, the polygon traces the largest component (`gliobench.tasks.outline`). From a polygon the box is
that of its points, neither rounded nor clipped; for a traced polygon it is exactly the box of the component traced.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from gliobench.tasks import box, centre, mask, polygon
from gliobench.tasks.geometry import Box, Mask, Point, Polygon, Value

CHAIN = ("mask", "polygon", "box", "centre")
TYPES = {Mask: "mask", Polygon: "polygon", Box: "box", Point: "centre"}
TRUTHS = {"mask": mask.truth, "polygon": polygon.truth, "box": box.truth, "centre": centre.truth}


def coarser(task: str) -> tuple[str, ...]:
    """The tasks that an answer to `task` can be scored on: itself first, then the coarser ones in order."""
    return CHAIN[CHAIN.index(task) :] if task in CHAIN else (task,)


def coarsen(value: Value, task: str) -> Value | None:
    """The value of `task` that follows from a value as fine or finer; None where a mask is empty.

    Raises ValueError where `task` is finer than the value, or not in the chain.
    """
    source = TYPES.get(type(value))
    if source is None or task not in coarser(source):
        raise ValueError(f"no {task} follows from a {type(value).__name__}; only from mask to {' to '.join(CHAIN[1:])}")
    if isinstance(value, Mask):
        return TRUTHS[task](value)
    if isinstance(value, Polygon) and task != "polygon":
        value = _box_of_points(value)
    if isinstance(value, Box) and task == "centre":
        value = centre.middle(value)
    return value


def to_mask(value: Value) -> Mask:
    """The pixels of a box, a polygon or a mask, inside its frame.

    Box: its edges rounded to whole pixels (halves up), all four of them inside. Polygon: the pixels whose middles lie
    inside or on the outline (`skimage.draw.polygon2mask`, for truth and answer alike). What lies outside the frame is
    cut. Raises TypeError for a value that is no area.
    """
    match value:
        case Mask():
            return value
        case Box():
            pixels = np.zeros(value.frame.shape, dtype=bool)
            pixels[_span(value.row_min, value.row_max), _span(value.column_min, value.column_max)] = True
            return Mask(value.frame, pixels)
        case Polygon():
            return Mask(value.frame, _fill(value.frame.shape, value.points))
    raise TypeError(f"a {type(value).__name__} has no area; expected a Box, a Polygon or a Mask")


def _box_of_points(outline: Polygon) -> Box:
    rows, columns = zip(*outline.points, strict=True)
    return Box(outline.frame, min(rows), min(columns), max(rows), max(columns))


def _span(first: float, last: float) -> slice:
    return slice(max(math.floor(first + 0.5), 0), max(math.floor(last + 0.5) + 1, 0))


@lru_cache(maxsize=512)
def _fill(shape: tuple[int, int], points: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    """Kept for a patient's slices: each is filled again for every coarser task and for the volume."""
    pixels: NDArray[np.bool_] = np.asarray(polygon2mask(shape, np.array(points, dtype=float)), dtype=bool)
    pixels.flags.writeable = False
    return pixels
