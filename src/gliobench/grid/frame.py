"""Planes and slices of a prepared volume, and the frame of an answer's coordinates.

A prepared volume has axes (depth, height, width): depth from inferior to superior, height from anterior to
posterior, width from the patient's right to the patient's left. Slices are shown as a radiologist sees them:

    axial     index = depth    rows = height (anterior on top)              columns = width
    coronal   index = height   rows = depth, turned (superior on top)       columns = width
    sagittal  index = width    rows = depth, turned (superior on top)       columns = height
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from gliobench.ranges import once

Plane = Literal["axial", "coronal", "sagittal"]
Planes = Annotated[tuple[Plane, ...], Field(min_length=1), AfterValidator(once)]  # of a study file
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
INDEX_AXIS: dict[Plane, int] = {"axial": 0, "coronal": 1, "sagittal": 2}


@dataclass(frozen=True)
class SliceFrame:
    """The frame of rows and columns: one slice of one plane. (0, 0) is the centre of the top left pixel."""

    plane: Plane
    index: int
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]

    @property
    def diagonal_mm(self) -> float:
        """Distance between opposite corner pixels' centres, in millimetres, the largest distance of two pixels."""
        return float(np.hypot((self.shape[0] - 1) * self.spacing_mm[0], (self.shape[1] - 1) * self.spacing_mm[1]))

    def enlarged(self, scale: int) -> "SliceFrame":
        """The frame of the slice shown `scale` times as large: more and smaller pixels, the same millimetres.

        Pixel r becomes the shown pixels r * scale to r * scale + scale - 1, whose middle is (r + 0.5) * scale - 0.5.
        """
        (rows, columns), (row_mm, column_mm) = self.shape, self.spacing_mm
        return SliceFrame(self.plane, self.index, (rows * scale, columns * scale), (row_mm / scale, column_mm / scale))


def slice_frame(plane: Plane, index: int, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> SliceFrame:
    """The frame of one slice of a volume of `shape` (D, H, W) with `spacing_mm` in the same order."""
    size = shape[INDEX_AXIS[plane]]
    if not 0 <= index < size:
        raise IndexError(f"{plane} slice {index} of a volume with {size} {plane} slices")
    rows, columns = (axis for axis in range(3) if axis != INDEX_AXIS[plane])
    return SliceFrame(plane, index, (shape[rows], shape[columns]), (spacing_mm[rows], spacing_mm[columns]))


def take_slice(volume: NDArray[Any], plane: Plane, index: int) -> NDArray[Any]:
    """The 2D image (rows, columns) of a volume (..., D, H, W), superior or anterior on top; a view."""
    if plane == "axial":
        return volume[..., index, :, :]
    if plane == "coronal":
        return volume[..., ::-1, index, :]
    return volume[..., ::-1, :, index]


def put_slice(volume: NDArray[Any], plane: Plane, index: int, image: NDArray[Any]) -> None:
    """Write a 2D image into the volume, in place; the inverse of `take_slice`."""
    take_slice(volume, plane, index)[...] = image


def to_voxel(frame: SliceFrame, row: float, column: float) -> tuple[float, float, float]:
    """(depth, height, width) of a row and a column of the frame; `row` is flipped back where the plane flips it."""
    if frame.plane == "axial":
        return (frame.index, row, column)
    depth = frame.shape[0] - 1 - row
    return (depth, frame.index, column) if frame.plane == "coronal" else (depth, column, frame.index)
