"""The values an answer can take. Geometry carries its frame; rows go down, columns go right, pixels are centred
on whole numbers.

A coarser value is derived from a finer one, such as mask -> polygon -> box -> centre (`gliobench.tasks.chain`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame


class Value:
    """The value of an answer; a user's own task defines a subclass."""


@dataclass(frozen=True, eq=False)
class Placed(Value):
    """What lies somewhere in a slice, such as a point, and is drawn there."""

    frame: SliceFrame


@dataclass(frozen=True)
class Grade(Value):
    """The number of a class, or `Problem.none` where the model says that there is no target."""

    value: int


@dataclass(frozen=True)
class Point(Placed):
    """A point of a slice, in pixels."""

    row: float
    column: float


@dataclass(frozen=True)
class Box(Placed):
    """A rectangle of whole pixels of a slice; all four edges are inside it."""

    row_min: float
    column_min: float
    row_max: float
    column_max: float


@dataclass(frozen=True)
class Polygon(Placed):
    """A closed outline in a slice: (row, column) in pixels, the last point joined to the first."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Mask(Placed):
    """Pixels of a slice: (rows, columns) bool."""

    pixels: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VolumeMask(Value):
    """Voxels of a whole patient: (D, H, W) bool on the patient's grid.

    `core`, `enhancing`: the tumour's inner regions (`gliobench.grid.regions`), where the model distinguishes them.
    """

    voxels: NDArray[np.bool_]
    core: NDArray[np.bool_] | None = None
    enhancing: NDArray[np.bool_] | None = None
