"""The operating point of a mask, chosen on validation patients alone when a training has ended."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.models.base.operating_point import OperatingPoint
from gliobench.training.objectives import THRESHOLDS

LARGEST_ALONE = 1e9  # mm3: more than a head
SMALLEST_MM3 = (0.0, 100.0, 1000.0, LARGEST_ALONE)


def decide_region(
    probability: Sequence[NDArray[np.float32]], truth: Sequence[NDArray[np.bool_]], voxel_mm3: Sequence[float]
) -> OperatingPoint:
    """Threshold, then smallest component, by mean Dice; one (D, H, W) of each per validation patient.

    The least aggressive smallest component that is as good as the best: where a false component is larger than the
    tumour, keeping only the largest removes the tumour, and three validation patients do not show that.
    """
    tables = zip(probability, truth, voxel_mm3, strict=True)
    dice = np.stack([_dice_table(*patient) for patient in tables])  # (patient, threshold, smallest)
    threshold = _nearest_to_half(dice[:, :, 0])
    mildest = int(np.flatnonzero(_as_good(dice[:, THRESHOLDS.index(threshold), :]))[0])
    return OperatingPoint(threshold, SMALLEST_MM3[mildest])


def _dice_table(probability: NDArray[np.float32], truth: NDArray[np.bool_], voxel_mm3: float) -> NDArray[np.float64]:
    """Dice of one patient for every threshold and smallest component."""
    table = np.empty((len(THRESHOLDS), len(SMALLEST_MM3)))
    for place, threshold in enumerate(THRESHOLDS):
        parts, _ = ndimage.label(probability >= threshold, structure=np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())
        hits = np.bincount(parts[truth], minlength=len(sizes))
        sizes[0] = hits[0] = 0
        for column, smallest in enumerate(SMALLEST_MM3):
            kept = (sizes * voxel_mm3 >= smallest) | (np.arange(len(sizes)) == sizes.argmax())
            total = sizes[kept].sum() + truth.sum()
            table[place, column] = 2 * hits[kept].sum() / total if total else 1.0
    return table


def _as_good(worth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which choices these patients do not distinguish from the best: within one standard error of the difference.

    `worth` (patients, choices). The one-standard-error rule (Breiman 1984), on paired differences: on three patients a
    choice must be clearly better than the default to be used.
    """
    behind = worth[:, [int(worth.mean(axis=0).argmax())]] - worth
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else np.full(worth.shape[1], np.inf)
    good: NDArray[np.bool_] = behind.mean(axis=0) <= error
    return good


def _nearest_to_half(worth: NDArray[np.float64]) -> float:
    """Of the thresholds that are as good as the best, the one nearest to one half."""
    good = np.flatnonzero(_as_good(worth))
    return min((THRESHOLDS[place] for place in good), key=lambda threshold: abs(threshold - 0.5))
