"""The operating point of a grade model of any kind: one rule for baselines, probes, networks and aggregates.

1. Platt's method (1999): a logistic regression of the truth on the logit of the score, without penalty, so that the
   scale of the scores does not matter, and with his smoothed targets, (n₁ + 1) / (n₁ + 2) for the n₁ patients with HGG
   and 1 / (n₀ + 2) for the n₀ with LGG, so that it is finite where the scores separate the grades.
2. The threshold is the mean of these targets: HGG at and above it. On a calibrated probability the prevalence of HGG
   is the threshold with the best balanced accuracy (Menon et al. 2013), and the mean of the targets estimates it.
   There is no search, so the threshold cannot overfit the few patients at hand.
3. With too few patients, with scores that do not vary, or with scores that rank the patients the wrong way round,
   nothing is estimated: the scores stay as they are, and the threshold is one half. Inverting scores would fit noise.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gliobench.models.base.operating_point import OperatingPoint, logit

CALIBRATION_VERSION = 2  # increased with every change of the rule
ENOUGH = 5  # patients of each grade; with fewer, a fit says more about them than about the model
SPREAD = 0.01  # range of the probabilities: below, they do not distinguish patients
NO_SPREAD = f"the scores lie within {SPREAD:g}"

Scores = NDArray[np.float64]


def learn_operating_point(scores: Scores, truth: NDArray[np.bool_]) -> tuple[OperatingPoint, str]:
    """The operating point estimated from these patients, and why none was (empty where one was).

    `scores` in [0, 1] and `truth` (HGG), both (N,): of patients that the model was not trained on.
    """
    if min(truth.sum(), (~truth).sum()) < ENOUGH:
        return OperatingPoint(), f"{ENOUGH} of each grade are needed"
    if not spreads(scores):
        return OperatingPoint(), NO_SPREAD
    targets = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))
    slope, offset = _regression(logit(scores), targets)
    if slope <= 0:
        return OperatingPoint(), "the scores order them the wrong way round"  # in records' keys
    return OperatingPoint(float(targets.mean()), slope=slope, offset=offset), ""


def spreads(probability: Scores) -> bool:
    """Whether probabilities (N,) distinguish patients."""
    return bool(np.ptp(probability) >= SPREAD)


def _regression(values: Scores, targets: Scores) -> tuple[float, float]:
    """Slope and offset of the logistic regression of targets that are probabilities: each patient enters as HGG with
    the weight of the target, and as LGG with the rest."""
    weights, grades = np.append(targets, 1 - targets), np.repeat([1, 0], len(values))
    without_penalty = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    fitted = without_penalty.fit(np.tile(values, 2)[:, None], grades, sample_weight=weights)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
