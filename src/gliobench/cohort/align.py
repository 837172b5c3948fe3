"""Files of one patient that hold the same voxels with the axes in another order or direction."""

import numpy as np
from nibabel.orientations import aff2axcodes, apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

AFFINE_TOLERANCE = 1e-3  # millimetres; writers round affines differently

Volume = tuple[NDArray[np.generic], NDArray[np.float64]]


def same_place(one: Volume, other: Volume) -> bool:
    """Whether two volumes (voxels, affine) have the same shape and, up to rounding, the same affine."""
    return one[0].shape == other[0].shape and same_affine(one[1], other[1])


def same_affine(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return np.array_equal(one, other) or bool(np.allclose(one, other, atol=AFFINE_TOLERANCE))


def turned_onto(volume: Volume, reference: Volume) -> Volume | None:
    """The volume with its axes exchanged and flipped so that each voxel lies on one of `reference`'s; a view.

    None where that is not possible without interpolation.
    """
    voxels, affine = volume
    if voxels.ndim != 3 or reference[0].ndim != 3 or not is_sound(affine) or not is_sound(reference[1]):
        return None
    turn = ornt_transform(io_orientation(affine), io_orientation(reference[1]))
    found = apply_orientation(voxels, turn), affine @ inv_ornt_aff(turn, voxels.shape)
    return found if same_place(found, reference) else None


def axes_of(affine: NDArray[np.float64]) -> str:
    """The directions of the axes, such as RAS."""
    return "".join(code or "?" for code in aff2axcodes(affine))


def is_sound(affine: NDArray[np.float64]) -> bool:
    """Whether an affine spans three directions."""
    return bool(np.linalg.det(affine[:3, :3]) != 0)
