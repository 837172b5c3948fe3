"""Selection of a patient's slices, and the image of one."""

from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import INDEX_AXIS, Plane, take_slice
from gliobench.grid.prepared import PreparedSubject

Select = Literal["oracle", "brain", "predicted"]
BRAIN_SHARE = 0.01  # a slice with less brain than this proportion of its pixels is skipped


def select_slices(
    prepared: PreparedSubject,
    plane: Plane,
    select: Select,
    *,
    every: int = 1,
    min_area_px: int = 1,
    trim: int = 0,
    predicted: NDArray[np.bool_] | None = None,
) -> list[int]:
    """Indices of a plane's slices, every `every`-th of those from the first selected slice to the last, without `trim`
    slices at either end (none are left of a range of twice as many or fewer).

    `oracle`: slices with `min_area_px` pixels or more of the true tumour, or of its region that is asked about (it uses
    the truth); `predicted`: the same with another run's mask (D, H, W); `brain`: slices with at least 1 % brain. Empty
    where there is none. Raises ValueError: `oracle` without a mask, `predicted` without one or of another shape than
    the grid.
    """
    across = tuple(axis for axis in range(3) if axis != INDEX_AXIS[plane])
    mask = _mask(prepared, select, predicted)
    least = BRAIN_SHARE * (mask.size // mask.shape[INDEX_AXIS[plane]]) if select == "brain" else min_area_px
    found = np.flatnonzero(np.count_nonzero(mask, axis=across) >= least)
    return list(range(int(found[0]) + trim, int(found[-1]) + 1 - trim, every)) if len(found) else []


def _mask(prepared: PreparedSubject, select: Select, predicted: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if select == "oracle":
        return prepared.tumour
    if select == "brain":
        return np.asarray(prepared.image.any(axis=0))
    if select == "predicted":
        if predicted is None:
            raise ValueError(
                f"{prepared.id}: slices selected by a prediction need the predicted mask, and there is none"
            )
        if predicted.shape != prepared.shape:
            raise ValueError(
                f"{prepared.id}: the predicted mask has shape {predicted.shape}, the grid {prepared.shape}: "
                "it was made on another grid"
            )
        return predicted
    assert_never(select)


def grey_slice(prepared: PreparedSubject, image: str, plane: Plane, index: int) -> NDArray[np.uint8]:
    """One slice of one image as input of a model: (rows, columns) uint8, 0 outside the body, a copy.

    Raises IndexError for a slice that does not exist, ValueError for an image that the problem has not.
    """
    voxels = prepared.image_of(image)
    prepared.frame(plane, index)  # a negative index would otherwise count from the end
    return np.ascontiguousarray(take_slice(voxels, plane, index))
