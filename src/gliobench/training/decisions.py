"""What turns probabilities into answers, chosen on validation patients alone when a training has ended."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.linear_model import LogisticRegression

from gliobench.models.inference import Decision, calibrated
from gliobench.training.goals import THRESHOLDS

SMALLEST_MM3 = (0.0, 100.0, 300.0, 1000.0, 3000.0)
ENOUGH_TO_CALIBRATE = (
    5  # validation patients of each grade; with fewer, a fit says more about them than about the model
)
AS_GOOD = 0.002  # of Dice, or of balanced accuracy: below, the choice nearest to one half and to 0 mm3 is taken


def decide_grades(probability: NDArray[np.float64], truth: NDArray[np.bool_]) -> Decision:
    """Slope and offset of the logit by Platt's method (1999), then the threshold with the best balanced accuracy.

    `probability`, `truth` (N,) of the validation patients, HGG positive. Too few of either grade: as they come.
    """
    if min(truth.sum(), (~truth).sum()) < ENOUGH_TO_CALIBRATE:
        return Decision()
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    fitted = LogisticRegression().fit(np.log(clipped / (1 - clipped))[:, None], truth)
    stretched = Decision(slope=float(fitted.coef_[0, 0]), offset=float(fitted.intercept_[0]))
    if stretched.slope <= 0:
        return Decision()  # it orders patients the wrong way round: turning it over would be fitting noise
    found = np.array([calibrated(one, stretched) for one in probability])
    balanced = [((found >= t)[truth].mean() + (found < t)[~truth].mean()) / 2 for t in THRESHOLDS]
    return Decision(_nearest_to_half(np.array(balanced)), slope=stretched.slope, offset=stretched.offset)


def decide_region(
    probability: Sequence[NDArray[np.float32]], truth: Sequence[NDArray[np.bool_]], voxel_mm3: Sequence[float]
) -> Decision:
    """Threshold and smallest part with the best mean Dice; one (D, H, W) of each a validation patient."""
    dice = np.mean(
        [_dice_table(*patient) for patient in zip(probability, truth, voxel_mm3, strict=True)], axis=0
    )  # (threshold, smallest)
    threshold = _nearest_to_half(dice.max(axis=1))
    row = dice[THRESHOLDS.index(threshold)]
    smallest = SMALLEST_MM3[int(np.flatnonzero(row >= row.max() - AS_GOOD)[0])]
    return Decision(threshold, smallest)


def _dice_table(probability: NDArray[np.float32], truth: NDArray[np.bool_], voxel_mm3: float) -> NDArray[np.float64]:
    """Dice of one patient for every threshold and smallest part."""
    table = np.empty((len(THRESHOLDS), len(SMALLEST_MM3)))
    for place, threshold in enumerate(THRESHOLDS):
        parts, _ = ndimage.label(probability >= threshold, structure=np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel())
        hits = np.bincount(parts[truth], minlength=len(sizes))
        sizes[0] = hits[0] = 0
        for column, smallest in enumerate(SMALLEST_MM3):
            kept = sizes * voxel_mm3 >= smallest
            total = sizes[kept].sum() + truth.sum()
            table[place, column] = 2 * hits[kept].sum() / total if total else 1.0
    return table


def _nearest_to_half(worth: NDArray[np.float64]) -> float:
    """Of the thresholds that are as good as the best, the one nearest to one half."""
    good = np.flatnonzero(worth >= worth.max() - AS_GOOD)
    return min((THRESHOLDS[place] for place in good), key=lambda threshold: abs(threshold - 0.5))
