"""The outline of an area of a slice as closed rings of points."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours

from gliobench.tasks.geometry import Box, Mask, Polygon

Ring = list[tuple[float, float]]
TOLERANCE_PX = 0.3  # how far a point may lie from the traced outline to be left out


def rings(value: Box | Polygon | Mask) -> list[Ring]:
    """Closed rings of (row, column), pixels centred on whole numbers, the last point joined to the first.

    Of a box the outer edges of its pixels, of a polygon its points, of a mask one ring a component and a hole.
    """
    match value:
        case Box():
            top, left = value.row_min - 0.5, value.column_min - 0.5
            bottom, right = value.row_max + 0.5, value.column_max + 0.5
            return [[(top, left), (top, right), (bottom, right), (bottom, left)]]
        case Polygon(points=points):
            return [list(points)]
        case Mask(pixels=pixels):
            return mask_rings(pixels)


def mask_rings(pixels: NDArray[np.bool_]) -> list[Ring]:
    """The rings of (rows, columns) bool pixels; none where the mask is empty."""
    contours = find_contours(np.pad(pixels, 1).astype(np.float64), 0.5)
    return [
        [(float(row), float(column)) for row, column in approximate_polygon(ring, TOLERANCE_PX) - 1]
        for ring in contours
    ]
