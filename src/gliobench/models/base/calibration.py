"""How a grade model of any kind comes by its operating point: one rule, for baselines, probes, networks and aggregates.

1. Platt's method (1999): a logistic regression of the truth on the logit of the score, without penalty, so that the
   scale of the scores does not matter, and with his smoothed targets, (n₁ + 1) / (n₁ + 2) for the n₁ patients with HGG
   and 1 / (n₀ + 2) for the n₀ with LGG, so that it is finite where the scores separate the grades.
2. HGG from the mean of these targets on. Of all thresholds on a probability that is what it says, the share of HGG has
   the best balanced accuracy (Menon et al. 2013), and the mean of the targets is that share as the fit knows it.
   Nothing is searched for, so that no threshold fits the few patients at hand better than those to come.
3. Where too few patients teach, where the scores do not spread, or where they order the patients the wrong way round,
   nothing is learnt: the scores stay as they are, and HGG is called from one half on. To turn scores over would be to
   fit noise.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gliobench.models.base.operating_point import OperatingPoint, logit

CALIBRATION_VERSION = 2  # goes up with every change of the rule
ENOUGH = 5  # patients of each grade; with fewer, a fit says more about them than about the model
SPREAD = 0.01  # from the least probability to the greatest: below, they do not tell one patient from another
NO_SPREAD = f"the scores lie within {SPREAD:g}"

Scores = NDArray[np.float64]


def learn_operating_point(scores: Scores, truth: NDArray[np.bool_]) -> tuple[OperatingPoint, str]:
    """The operating point that these patients teach, and why none was learnt (empty where one was).

    `scores` in [0, 1] and `truth` (HGG), both (N,): of patients whom the model did not learn from.
    """
    if min(truth.sum(), (~truth).sum()) < ENOUGH:
        return OperatingPoint(), f"{ENOUGH} of each grade are needed"
    if not spreads(scores):
        return OperatingPoint(), NO_SPREAD
    targets = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))
    slope, offset = _regression(logit(scores), targets)
    if slope <= 0:
        return OperatingPoint(), "the scores order them the wrong way round"
    return OperatingPoint(float(targets.mean()), slope=slope, offset=offset), ""


def spreads(probability: Scores) -> bool:
    """Whether probabilities (N,) tell one patient from another."""
    return bool(np.ptp(probability) >= SPREAD)


def _regression(values: Scores, targets: Scores) -> tuple[float, float]:
    """Slope and offset of the logistic regression of targets that are probabilities: each patient stands there as HGG
    with the weight of his target, and as LGG with what is left of it."""
    weights, grades = np.append(targets, 1 - targets), np.repeat([1, 0], len(values))
    without_penalty = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    fitted = without_penalty.fit(np.tile(values, 2)[:, None], grades, sample_weight=weights)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
