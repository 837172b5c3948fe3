"""Where in a scan the slices of recorded answers were cut from, told by the boxes that they were scored against.

The reference study cut a window of 128 x 128 voxels out of every scan, at random, and did not write down where. The
published boxes are those of one region of the expert mask inside that window, so the mask tells where it lay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.geometry import Box


@dataclass(frozen=True)
class Window:
    """The voxel of the scan, as (depth, row, column) from 0, that is row 0 and column 0 of the first slice."""

    depth: int
    row: int
    column: int

    def cut(self, volume: NDArray[np.bool_], slices: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The window of a volume (D, H, W): `slices` slices of `shape`; what lies outside the scan is empty."""
        cut = np.zeros((slices, *shape), bool)
        inside = volume[self.depth : self.depth + slices, self.row : self.row + shape[0]]
        inside = inside[:, :, self.column : self.column + shape[1]]
        cut[: inside.shape[0], : inside.shape[1], : inside.shape[2]] = inside
        return cut


def find_windows(boxes: Sequence[Box | None], region: NDArray[np.bool_]) -> list[Window]:
    """Every window in which the boxes of neighbouring slices are exactly those of `region`; none where none fits.

    `boxes`: of consecutive axial slices, None where a slice has none of the region. `region`: (D, H, W), a row and a
    column of it being those of the slices. A window that cuts all four sides of the largest box off is not found.
    """
    known = [(place, box) for place, box in enumerate(boxes) if box is not None]
    if not known:
        return []
    place, largest = max(known, key=lambda one: _area(one[1]))
    frame = largest.frame
    windows = dict.fromkeys(
        Window(depth, row, column)
        for depth in range(region.shape[0] - len(boxes) + 1)
        for row in _origins(region[depth + place].any(axis=1), largest.row_min, largest.row_max, frame.shape[0])
        for column in _origins(
            region[depth + place].any(axis=0), largest.column_min, largest.column_max, frame.shape[1]
        )
    )
    return [window for window in windows if _fits(window, boxes, region, frame)]


def region_boxes(region: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int] | None]:
    """Of every slice of a volume (D, H, W) the smallest and largest row and column, both inside; None where empty."""
    for pixels in region:
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        yield (int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])) if len(rows) else None


def _area(box: Box) -> float:
    return (box.row_max - box.row_min + 1) * (box.column_max - box.column_min + 1)


def _origins(filled: NDArray[np.bool_], low: float, high: float, size: int) -> set[int]:
    """Where a window begins along one axis, by each end of the box that the window does not cut off."""
    found = np.flatnonzero(filled)
    if not len(found):
        return set()
    ends = [(int(found[0]), low, low > 0), (int(found[-1]), high, high < size - 1)]
    return {place - int(end) for place, end, whole in ends if whole and place >= end}


def _fits(window: Window, boxes: Sequence[Box | None], region: NDArray[np.bool_], frame: SliceFrame) -> bool:
    found = region_boxes(window.cut(region, len(boxes), frame.shape))
    return all(
        one == (None if box is None else (box.row_min, box.column_min, box.row_max, box.column_max))
        for one, box in zip(found, boxes, strict=True)
    )
