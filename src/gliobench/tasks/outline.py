"""Tracing a mask: a few points whose filled outline approximates it best."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

MIN_POINTS, MAX_POINTS = 10, 15
TOLERANCE_PX = 0.5  # root mean square distance between boundary and outline at which the points are enough
MAX_CANDIDATES = 96  # boundary pixels that may become points: bounds the time that long boundaries take
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def trace_outline(pixels: NDArray[np.bool_]) -> list[tuple[int, int]] | None:
    """10 to 15 boundary pixels (row, column), clockwise on the screen from the leftmost of the topmost; None if empty.

    `pixels`: (rows, columns) bool. Only the largest component is traced (8 neighbours; the first in reading order where
    two are equal), with its holes filled, as one outline cannot represent more. The points minimise the squared
    distance between boundary and chords (dynamic programming: Perez and Vidal, Pattern Recognition Letters 15, 1994).
    An extreme pixel of each side is always among them, so that the outline's box is the component's box. A point is
    added as long as the distance is above `TOLERANCE_PX`: large and irregular outlines get more. Where the boundary has
    fewer than 10 pixels, points repeat.
    """
    labels, count = ndimage.label(pixels, structure=EIGHT_NEIGHBOURS)
    if count == 0:
        return None
    label = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    rows, columns = ndimage.find_objects(labels)[label - 1]
    boundary = _boundary(ndimage.binary_fill_holes(labels[rows, columns] == label))
    chosen = boundary[_choose(boundary)]
    return [(int(row) + rows.start, int(column) + columns.start) for row, column in chosen]


def _boundary(component: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n, 2) boundary pixels of one component without holes, clockwise, from the leftmost of the topmost."""
    padded = np.pad(component, 1)
    (contour,) = find_contours(padded.astype(np.uint8), 0.5, fully_connected="high")
    # Every contour point lies between a pixel of the component and one outside it: keep the former.
    low, high = np.floor(contour).astype(np.intp), np.ceil(contour).astype(np.intp)
    inside = np.where(padded[low[:, 0], low[:, 1]][:, None], low, high)[:-1] - 1
    moved = np.any(inside != np.roll(inside, 1, axis=0), axis=1)
    boundary = inside[moved] if moved.any() else inside[:1]
    rows, columns = contour.T
    clockwise = np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows) > 0  # rows go down
    boundary = boundary if clockwise else boundary[::-1]
    start = int(np.lexsort((boundary[:, 1], boundary[:, 0]))[0])
    return np.roll(boundary, -start, axis=0)


def _choose(boundary: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which boundary pixels become the points, in order; the first of them is 0."""
    count = len(boundary)
    if count <= MIN_POINTS:
        return np.arange(MIN_POINTS) * count // MIN_POINTS
    extremes = {0, *(int(side.argmin()) for side in (*boundary.T, *-boundary.T))}
    spaced = np.linspace(0, count, min(count, MAX_CANDIDATES), endpoint=False).astype(np.intp)
    candidates = np.unique([*spaced, *extremes, count])  # count is pixel 0 again: the outline closes there
    error = _chord_errors(boundary, candidates, np.isin(candidates, [*extremes]))
    best, steps = error[0], []  # best[j]: the least error from pixel 0 to candidate j with the chords so far
    for chords in range(2, min(MAX_POINTS, count) + 1):
        through = best[:, None] + error
        steps.append(through.argmin(axis=0))
        best = through.min(axis=0)
        if chords >= MIN_POINTS and best[-1] <= count * TOLERANCE_PX**2:
            break
    chosen = [len(candidates) - 1]
    for step in reversed(steps):
        chosen.append(int(step[chosen[-1]]))
    return np.asarray(candidates[[0, *reversed(chosen[1:])]])


def _chord_errors(
    boundary: NDArray[np.intp], candidates: NDArray[np.intp], required: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(k, k) sum of the squared distances of the boundary pixels from candidate i to j to the chord between the two.

    Infinite where j <= i, and where a chord would skip a required candidate. Computed by cumulative sums.
    """
    y, x = np.vstack([boundary, boundary[:1]]).astype(float).T
    sums = np.cumsum(np.vstack([np.zeros(5), np.column_stack([y, x, y * y, x * x, x * y])]), axis=0)
    sy, sx, syy, sxx, sxy = np.moveaxis(sums[candidates + 1][None] - sums[candidates][:, None], 2, 0)
    n = (candidates[None] + 1 - candidates[:, None]).astype(float)
    y0, x0 = y[candidates][:, None], x[candidates][:, None]
    dy, dx = y[candidates][None] - y0, x[candidates][None] - x0
    # Second moments of the pixels about the chord's start; across the chord they are the squared distances.
    ryy = syy - 2 * y0 * sy + n * y0 * y0
    rxx = sxx - 2 * x0 * sx + n * x0 * x0
    rxy = sxy - x0 * sy - y0 * sx + n * x0 * y0
    length = dy * dy + dx * dx
    across = dx * dx * ryy - 2 * dx * dy * rxy + dy * dy * rxx
    error: NDArray[np.float64] = np.where(length > 0, across / np.maximum(length, 1), ryy + rxx)
    passed = np.cumsum(required)
    skips = passed[None] - required[None] - passed[:, None] > 0
    error[skips | (candidates[None] <= candidates[:, None])] = np.inf
    return error
