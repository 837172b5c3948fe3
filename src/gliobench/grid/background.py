"""The background value of a scan: usually 0, but another constant after rescaling or z-scoring."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 0.5  # of the voxels on a volume's six faces; crops of z-scored heads reach 0.07 with another value than 0


def background_of(modality: NDArray[np.generic]) -> float:
    """The value of most voxels on the faces of a modality (Z, Y, X); 0 where there is no such value."""
    faces = np.concatenate([np.take(modality, (0, size - 1), axis).ravel() for axis, size in enumerate(modality.shape)])
    if np.count_nonzero(faces == 0) >= MOST * faces.size:
        return 0.0
    values, counts = np.unique(faces, return_counts=True)
    return float(values[counts.argmax()]) if counts.max() > MOST * faces.size else 0.0


def backgrounds(images: NDArray[np.generic]) -> tuple[float, ...]:
    """The background of each modality of (C, Z, Y, X)."""
    return tuple(map(background_of, images))


def head(images: NDArray[np.generic], values: Sequence[float]) -> NDArray[np.bool_]:
    """Where any modality is not its background, (Z, Y, X)."""
    if not any(values):
        return np.asarray(images.any(axis=0))
    found = np.zeros(images.shape[1:], np.bool_)
    for modality, value in zip(images, values, strict=True):
        found |= modality != value
    return found


def lowered(images: NDArray[np.generic], values: Sequence[float]) -> NDArray[np.generic]:
    """The images with every modality's background at 0: as they were before a constant was added to them."""
    if not any(values):
        return images
    wide = np.int64 if np.issubdtype(images.dtype, np.integer) else images.dtype
    shifts = np.array(values).astype(wide)
    return np.stack([modality.astype(wide) - shift for modality, shift in zip(images, shifts, strict=True)])
