"""From a scanner's arbitrary units to 8 bits; 0 is outside the brain."""

import numpy as np
from numpy.typing import NDArray
from skimage.exposure import equalize_hist

BRAIN_PERCENTILES = (0.5, 99.5)
STUDY_PERCENTILES = (1.0, 99.0)


def stretch(image: NDArray[np.float32], percentiles: tuple[float, float] = BRAIN_PERCENTILES) -> NDArray[np.uint8]:
    """Clip at two percentiles of the non-zero voxels and stretch them to 1 … 255; zeros stay 0."""
    return _to_bytes(_min_max(image, percentiles), image != 0)


def stretch_and_equalise(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The reference study's: clip at percentiles 1 and 99, min-max, equalise the histogram; zeros stay 0."""
    inside = image != 0
    if not inside.any():
        return np.zeros(image.shape, np.uint8)
    return _to_bytes(equalize_hist(_min_max(image, STUDY_PERCENTILES), mask=inside), inside)


def _min_max(image: NDArray[np.float32], percentiles: tuple[float, float]) -> NDArray[np.float32]:
    inside = image[image != 0]
    if inside.size == 0:
        return np.zeros_like(image)
    low, high = np.percentile(inside, percentiles)
    if high <= low:
        return np.full_like(image, 0.5)
    scaled: NDArray[np.float32] = np.clip((image - low) / (high - low), 0, 1)
    return scaled


def _to_bytes(share: NDArray[np.floating], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """0 … 1 to 1 … 255 inside, 0 outside."""
    return np.where(inside, np.rint(1 + 254 * share), 0).astype(np.uint8)
