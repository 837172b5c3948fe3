"""Two outlines: the 95th percentile of their Hausdorff distance in millimetres, and their surface Dice.

The distance is MONAI's (`compute_hausdorff_distance`, percentile=95): the larger of the two directed 95th percentiles
of the distances between surface voxels. A surface voxel is a voxel of the mask with a face neighbour outside it;
everything beyond the border of the image is outside. Pooled distances, as in medpy and panoptica, give up to a third
less.

Where the answer or the truth is empty, the distance is the diagonal of the slice or volume, and for an inner region
373.13 mm, by the convention of the BraTS challenges (Menze 2015; Bakas 2018): the diagonal of their 240 x 240 x 155 mm.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gliobench.scoring.metric import AnswerMetric, Compared

PENALTY_MM = math.hypot(240, 240, 155)
PERCENTILE = 95
TOLERANCE_MM = 2.0  # of the surface Dice
ROUNDING_MM = 1e-6  # of the distance of two points at the tolerance
FEW_POINTS = 1000  # below, a k-d tree is quicker than any method on a grid
WINDOW_VOXELS = 12  # up to this distance a window of the grid is quicker than a tree
SAMPLED_SOURCES, SAMPLED_TARGETS = 300, 5_000
BLOCK_VOXELS = 4
FAR = 255


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface voxels of a mask: (n, 2) or (n, 3) whole numbers in the array's own axes.

    `low`, `high`: the first and last row, column, … of the mask. `shape`: the array's.
    """

    points: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    shape: tuple[int, ...]


def find_surface(mask: NDArray[np.bool_]) -> Surface:
    """The surface of a bool array of two or three axes; no points where the mask is empty."""
    corner, crop = _cropped(mask)
    padded = np.pad(crop, 1)
    inner = (slice(1, -1),) * mask.ndim
    deep = crop.copy()
    for axis in range(mask.ndim):
        for shifted in (slice(None, -2), slice(2, None)):
            deep &= padded[(*inner[:axis], shifted, *inner[axis + 1 :])]
    places = np.unravel_index(np.flatnonzero(crop & ~deep), crop.shape)
    points = np.stack(places, axis=1) + corner
    return Surface(points, corner, corner + crop.shape - 1, mask.shape)


def hausdorff95_mm(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> float:
    """The 95 % Hausdorff distance of two bool arrays of one shape, two or three axes.

    `spacing_mm`: millimetres between neighbours along each axis of the arrays. Both empty: 0. One of them empty: the
    diagonal of the array (`diagonal_mm`), the largest possible distance. Never NaN.
    """
    if prediction.shape != truth.shape or len(spacing_mm) != truth.ndim:
        raise ValueError(
            f"two masks of one shape and a spacing for each axis are needed, "
            f"got {prediction.shape}, {truth.shape} and spacing {spacing_mm}"
        )
    return surface_distance95_mm(find_surface(prediction), find_surface(truth), spacing_mm)


def surface_distance95_mm(first: Surface, second: Surface, spacing_mm: tuple[float, ...]) -> float:
    """`hausdorff95_mm` of two given surfaces."""
    if len(first.points) == 0 or len(second.points) == 0:
        return 0.0 if len(first.points) == len(second.points) else diagonal_mm(first.shape, spacing_mm)
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    return max(_directed(first, second, spacing), _directed(second, first, spacing))


def diagonal_mm(shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> float:
    """Between the centres of opposite corners of an array: the largest distance of two voxels."""
    return float(np.linalg.norm([(size - 1) * step for size, step in zip(shape, spacing_mm, strict=True)]))


def _cropped(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The first corner of a mask's bounding box, and the mask cropped to it; no voxels where the mask is empty."""
    corner, crop = np.zeros(mask.ndim, dtype=np.int64), mask
    for axis in range(mask.ndim):
        filled = np.flatnonzero(crop.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        first, last = (filled[0], filled[-1] + 1) if len(filled) else (0, 0)
        corner[axis] = first
        crop = crop[(slice(None),) * axis + (slice(first, last),)]
    return corner, crop


def _directed(source: Surface, target: Surface, spacing: NDArray[np.float64]) -> float:
    """The percentile of the distances from every point of `source` to the nearest of `target`."""
    n = len(source.points)
    if len(spacing) == 2 or n < FEW_POINTS:
        return _percentile(cKDTree(target.points * spacing).query(source.points * spacing)[0], n)
    radius = _rough_percentile(source.points, target.points, spacing)
    if radius <= WINDOW_VOXELS * spacing.min():
        distances = _distances_within(source, target, spacing, radius)
        if _order_statistics(distances, n)[1] <= radius:
            return _percentile(distances, n)
    return _percentile_by_tree(source.points, target.points, spacing)


def _rough_percentile(source: NDArray[np.int64], target: NDArray[np.int64], spacing: NDArray[np.float64]) -> float:
    """From a sample of both sets; usually slightly too large."""
    draw = np.random.default_rng(0)  # with even steps, a sample of rows with two ends each would have one side only
    some = source[draw.integers(len(source), size=min(len(source), SAMPLED_SOURCES))] * spacing
    others = target[draw.integers(len(target), size=min(len(target), SAMPLED_TARGETS))] * spacing
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    return _percentile(tree.query(some)[0], len(some)) + float(spacing.max())


def _order_statistics(largest: NDArray[np.floating], n: int) -> tuple[float, float]:
    """The two of `n` distances between which the percentile lies, found among the largest of them."""
    place = PERCENTILE / 100 * (n - 1)
    ranks = [int(np.floor(place)) - n + len(largest), int(np.ceil(place)) - n + len(largest)]
    below, above = np.partition(largest, ranks)[ranks]
    return float(below), float(above)


def _percentile(largest: NDArray[np.floating], n: int) -> float:
    """The percentile of `n` distances, linear between neighbours, from the largest of them."""
    below, above = _order_statistics(largest, n)
    return below + (PERCENTILE / 100 * (n - 1)) % 1 * (above - below)


def _distances_within(
    source: Surface, target: Surface, spacing: NDArray[np.float64], radius: float
) -> NDArray[np.float32]:
    """Distances that are exact up to `radius` (mm) and never too small: Euclidean, one axis after the other
    (Felzenszwalb and Huttenlocher 2012), within the radius along each.
    """
    reach = np.ceil(radius / spacing).astype(np.int64)
    corner = np.minimum(source.low, np.maximum(target.low, source.low - reach))
    shape = np.maximum(source.high, np.minimum(target.high, source.high + reach)) - corner + 1
    grid_shape = (int(shape[0] + 2 * reach[0]), int(shape[1]), int(shape[2]))
    start = corner - (reach[0], 0, 0)
    near = target.points
    if (target.low < corner).any() or (target.high >= corner + shape).any():
        near = near[((near >= corner) & (near < corner + shape)).all(axis=1)]

    steps = np.full(grid_shape, FAR - 1, dtype=np.uint8)
    steps.reshape(-1)[_flat(near - start, grid_shape)] = 0
    for _ in range(reach[2]):
        after = steps[..., :-1] + np.uint8(1)
        np.minimum(steps[..., :-1], steps[..., 1:] + np.uint8(1), out=steps[..., :-1])
        np.minimum(steps[..., 1:], after, out=steps[..., 1:])
    squares = (np.arange(256) * spacing[2]) ** 2
    squares[FAR - 1 :] = np.inf
    along_rows = squares.astype(np.float32)[steps]

    squared = along_rows.copy()
    for step in range(1, reach[1] + 1):
        cost = np.float32((step * spacing[1]) ** 2)
        np.minimum(squared[:, step:], along_rows[:, :-step] + cost, out=squared[:, step:])
        np.minimum(squared[:, :-step], along_rows[:, step:] + cost, out=squared[:, :-step])

    flat, places, plane = squared.reshape(-1), _flat(source.points - start, grid_shape), grid_shape[1] * grid_shape[2]
    nearest = flat[places]
    for step in range(1, reach[0] + 1):
        cost = np.float32((step * spacing[0]) ** 2)
        np.minimum(nearest, flat[places - step * plane] + cost, out=nearest)
        np.minimum(nearest, flat[places + step * plane] + cost, out=nearest)
    distances: NDArray[np.float32] = np.sqrt(nearest)
    return distances


def _flat(points: NDArray[np.int64], shape: tuple[int, int, int]) -> NDArray[np.int64]:
    flat: NDArray[np.int64] = (points[:, 0] * shape[1] + points[:, 1]) * shape[2] + points[:, 2]
    return flat


def _percentile_by_tree(source: NDArray[np.int64], target: NDArray[np.int64], spacing: NDArray[np.float64]) -> float:
    """The percentile by k-d tree, queried only for points that can be among the largest: the distance to a set changes
    by no more than the step between points, so one point of a block bounds its neighbours.
    """
    tree = cKDTree(target * spacing, balanced_tree=False, compact_nodes=False)
    corners = source // BLOCK_VOXELS
    blocks = _flat(corners, tuple(corners.max(axis=0) + 1))
    order = np.argsort(blocks, kind="stable")
    points = source[order] * spacing
    starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
    sizes = np.diff(starts, append=len(points))
    middles = starts + sizes // 2
    distance = np.repeat(tree.query(points[middles])[0], sizes)
    step = np.linalg.norm(points - np.repeat(points[middles], sizes, axis=0), axis=1)
    surely = _order_statistics(distance - step, len(points))[0]
    candidates = points[distance + step >= surely]
    return _percentile(tree.query(candidates)[0], len(points))


def _distance95(areas: Compared) -> float:
    return surface_distance95_mm(areas.answer.surface, areas.truth.surface, areas.spacing_mm)


def surface_dice(areas: Compared) -> float:
    """The share of the surface voxels of both that lie within `TOLERANCE_MM` of the other surface (Nikolov 2018,
    arXiv:1809.04430; voxels counted alike, as by MONAI's `compute_surface_dice`)."""
    answer, truth = (side.surface.points * np.asarray(areas.spacing_mm) for side in (areas.answer, areas.truth))
    return (_near(answer, truth) + _near(truth, answer)) / (len(answer) + len(truth))


def _near(source: NDArray[np.float64], target: NDArray[np.float64]) -> int:
    """How many points of `source` lie within the tolerance of one of `target`."""
    tree = cKDTree(target, balanced_tree=False, compact_nodes=False)
    distances, _ = tree.query(source, distance_upper_bound=TOLERANCE_MM + ROUNDING_MM)
    return int(np.isfinite(distances).sum())


def farthest_mm(areas: Compared) -> float:
    """The distance of two areas where one of them is empty or missing."""
    return PENALTY_MM if areas.inner else diagonal_mm(areas.truth.pixels.shape, areas.spacing_mm)


METRICS = (
    AnswerMetric("hd95_mm", "HD95", "mm", "lower", "area", _distance95, farthest_mm, farthest_mm, both_empty=0.0),
    AnswerMetric(
        *("surface_dice", f"surface Dice at {TOLERANCE_MM:g} mm", "share", "higher", "area", surface_dice),
        unanswered=0.0,
        one_empty=0.0,
        both_empty=1.0,
    ),
)
