"""Intensities inside the brain to 8 bits: 1 to 255, because 0 is kept for what is not brain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.recipe import Preset

BRAIN_PERCENTILES = (0.5, 99.5)
STUDY_PERCENTILES = (1.0, 99.0)
ROUNDING = 1e-5  # interpolating a constant in float32 gives differences of this order, which are not to be stretched


def to_grey(values: NDArray[np.float32], preset: Preset) -> NDArray[np.uint8]:
    """The intensities (4, N) of the brain's voxels as uint8 from 1 to 255, by the preset's rule."""
    return _equalised_together(values) if preset == "study" else _stretched_each(values)


def _stretched_each(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Each modality by itself: clipped at its 0.5 and 99.5 percentiles, then linear. A constant modality gives 1."""
    grey = np.empty(values.shape, np.uint8)
    for row, modality in zip(grey, values, strict=True):
        low, high = (float(end) for end in np.percentile(modality, BRAIN_PERCENTILES))
        varies = high - low > ROUNDING * max(abs(low), abs(high))
        row[:] = _to_8_bits((np.clip(modality, low, high) - low) / (high - low)) if varies else 1
    return grey


def _equalised_together(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """All four modalities as one, as the reference study's code does it: clipped at the 1 and 99 percentiles, min-max,
    histogram (256 bins) equalised. So a modality that is brighter in the source stays brighter here."""
    from skimage.exposure import equalize_hist

    low, high = (float(end) for end in np.percentile(values, STUDY_PERCENTILES))
    return _to_8_bits(equalize_hist(np.clip(values, low, high)))  # min-max would not change a histogram's order


def _to_8_bits(share: NDArray[Any]) -> NDArray[np.uint8]:
    return (1.5 + 254 * share).astype(np.uint8)  # a half more, then cut off: rounded
