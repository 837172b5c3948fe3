"""Intensity windows: which grey values of a modality become the darkest and the brightest."""

import numpy as np
from numpy.typing import NDArray


def windowed(
    image: NDArray[np.uint8],
    volume: NDArray[np.uint8],
    window: tuple[float, float] | None,
    percentiles: tuple[float, float] | None,
) -> NDArray[np.uint8]:
    """A slice's greys stretched linearly from the window to 1 to 255, clipped; 0, the background, stays 0.

    `window`: low and high in greys; `percentiles`: the same as percentiles of the greys above 0 in `volume` (D, H, W),
    so that all slices of a volume are stretched alike. At most one of them; with neither the image is unchanged.
    """
    if percentiles:
        brain = np.bincount(volume.ravel(), minlength=256)[1:]  # exact, and far quicker than sorting the voxels
        low, high = (_percentile(brain, share) for share in percentiles)
    elif window:
        low, high = window
    else:
        return image
    share = (np.arange(256) - low) / max(high - low, 1)
    table: NDArray[np.uint8] = (1.5 + 254 * np.clip(share, 0, 1)).astype(np.uint8)
    table[0] = 0
    shown: NDArray[np.uint8] = table[image]
    return shown


def stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A slice's greys from its own least to its own greatest, as 0 to 255, fractions cut off as the reference study's
    code cuts them; 0 where all are equal."""
    least, greatest = int(image.min()), int(image.max())
    grey = 255 * (image.astype(np.int32) - least) // max(greatest - least, 1)
    return grey.astype(np.uint8)


def _percentile(counts: NDArray[np.intp], share: float) -> float:
    """The smallest grey (1 to 255) with at least `share` per cent of the voxels at or below it."""
    cumulated = np.cumsum(counts)
    return 1.0 + float(np.searchsorted(cumulated, share / 100 * cumulated[-1]))
