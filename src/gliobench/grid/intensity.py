"""Intensities inside the brain to 8 bits: 1 to 255, because 0 is reserved for the background."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.errors import GliobenchError
from gliobench.grid.recipe import Preset

BRAIN_PERCENTILES = (0.5, 99.5)
STUDY_PERCENTILES = (1.0, 99.0)
STORED_WINDOW = (-4.0, 8.0)  # standard deviations
STORED_OUTSIDE = 0.05  # at most this proportion of the values; in a z-scored scan it is a few per thousand
SAMPLED, FEWEST_TO_SAMPLE = 61, 20_000  # every 61st value locates a percentile roughly; with fewer values, all are used
ROUNDING = 1e-5  # interpolating a constant in float32 gives differences of this order, which must not be stretched


class IntensityError(GliobenchError, ValueError):
    """Intensities that the preset does not support; the message says what was found."""


Window = tuple[float, float] | None


def to_grey(values: NDArray[np.float32], preset: Preset, windows: Sequence[Window]) -> NDArray[np.uint8]:
    """The intensities (C, N) of the body's voxels as uint8 from 1 to 255, by the preset's rule; `windows`: of each
    image, where it has one.

    Raises IntensityError where preset `stored` gets intensities that are not z-scored.
    """
    if preset == "stored":
        return _windowed(values)
    return _equalised_together(values) if preset == "study" else _stretched_each(values, windows)


def _stretched_each(values: NDArray[np.float32], windows: Sequence[Window]) -> NDArray[np.uint8]:
    """Each image on its own: clipped at its window, or at its 0.5 and 99.5 percentiles, then linear. A constant image
    without a window gives 1."""
    grey = np.empty(values.shape, np.uint8)
    for row, image, window in zip(grey, values, windows, strict=True):
        low, high = window or percentiles_of_tails(image, *BRAIN_PERCENTILES)
        varies = high - low > ROUNDING * max(abs(low), abs(high))
        row[:] = _to_8_bits((np.clip(image, low, high) - low) / (high - low)) if varies else 1
    return grey


def percentiles_of_tails(values: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of (N,), one near each end: NumPy's to the last digit, in a third of its time.

    A sample locates them roughly, and only the values beyond are sorted. Where the sample was wrong, or is too small,
    all values are sorted.
    """
    count = len(values)
    lowest, highest = values, values
    if count >= FEWEST_TO_SAMPLE:
        rough = np.percentile(values[::SAMPLED], (2 * low, 100 - 2 * (100 - high)))
        lowest, highest = values[values < rough[0]], values[values > rough[1]]
    ends = []
    for percent, tail, before in ((low, lowest, 0), (high, highest, count - len(highest))):
        place = percent / 100 * (count - 1)
        below = int(place)
        if not 0 <= below - before < len(tail) - 1:
            first, second = np.percentile(values, (low, high)).tolist()
            return first, second
        nearest = (below - before, below - before + 1)
        ends.append(_between(np.partition(tail, nearest)[list(nearest)], place - below))
    return ends[0], ends[1]


def _between(pair: NDArray[np.float32], share: float) -> float:
    """The point between two values, in NumPy's own arithmetic."""
    first, second, apart = float(pair[0]), float(pair[1]), float(pair[1] - pair[0])
    return second - apart * (1 - share) if share >= 0.5 else first + apart * share


def _windowed(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One window for all patients, so that equal z-scores give equal grey values."""
    low, high = STORED_WINDOW
    outside = float(np.mean((values < low) | (values > high)))
    if outside > STORED_OUTSIDE:
        raise IntensityError(
            f"preset `stored` expects z-scored intensities, nearly all from {low:g} to {high:g}; {outside:.0%} lie "
            f"outside, from {values.min():g} to {values.max():g}: z-score the images, or use another preset"
        )
    return _to_8_bits((np.clip(values, low, high) - low) / (high - low))


def _equalised_together(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """All four modalities together, as in the reference study's code: clipped at the 1 and 99 percentiles, min-max,
    histogram (256 bins) equalised. So a modality that is brighter in the source stays brighter."""
    from skimage.exposure import equalize_hist

    low, high = (float(end) for end in np.percentile(values, STUDY_PERCENTILES))
    return _to_8_bits(equalize_hist(np.clip(values, low, high)))  # min-max would not change the ranks


def _to_8_bits(share: NDArray[Any]) -> NDArray[np.uint8]:
    return (1.5 + 254 * share).astype(np.uint8)  # truncation after adding one half rounds
