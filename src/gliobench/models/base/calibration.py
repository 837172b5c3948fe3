"""The operating point of a grade model of any kind: one rule for baselines, probes, networks and aggregates.

Two classes:

1. Platt's method (1999): a logistic regression of the truth on the logit of the score, without penalty, so that the
   scale of the scores does not matter, and with his smoothed targets, (n₁ + 1) / (n₁ + 2) for the n₁ patients of the
   positive class and 1 / (n₀ + 2) for the n₀ others, so that it is finite where the scores separate the classes.
2. The threshold is the mean of these targets: positive at and above it. On a calibrated probability the prevalence is
   the threshold with the best balanced accuracy (Menon et al. 2013), and the mean of the targets estimates it. There
   is no search, so the threshold cannot overfit the few patients at hand.

More than two classes: one temperature (Guo et al. 2017, doi:10.48550/arXiv.1706.04599), fitted by maximum likelihood to
Platt's targets of k classes, (n + 1) / (n + k) for a patient's own of n patients and 1 / (n + k) for each other. Vector
and Dirichlet scaling (Kull et al. 2019) have 2k and k² + k parameters, more than a few dozen validation patients
determine, and they change who is called what; a temperature does not. Nor does it correct a prevalence: where a
model was trained on balanced classes, calling the most probable has the best balanced accuracy, as the threshold above.

With too few patients, with scores that do not vary, or with scores that rank the patients the wrong way round, nothing
is estimated: the scores stay as they are, and the threshold is one half. Inverting scores would fit noise.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.operating_point import OperatingPoint, log_probabilities, logit, tempered

CALIBRATION_VERSION = 2  # increased with every change of the rule
ENOUGH = 5  # patients of each class; with fewer, a fit says more about them than about the model
SPREAD = 0.01  # range of the probabilities: below, they do not distinguish patients
NO_SPREAD = f"the scores lie within {SPREAD:g}"
WRONG_WAY = "the scores order them the wrong way round"  # in records' keys, as the other reasons are

Scores = NDArray[np.float64]  # of two classes (patients,), of the positive one; else (patients, k)


def learn_operating_point(
    scores: Scores, truth: NDArray[np.int_], problem: Problem = GLIOMA
) -> tuple[OperatingPoint, str]:
    """The operating point estimated from these patients, and why none was (empty where one was).

    `scores` in [0, 1], and `truth` (patients,), the numbers of their classes: of patients that the model was not
    trained on.
    """
    if least_count(truth, problem) < ENOUGH:
        return OperatingPoint(), f"{ENOUGH} of each {problem.asked} are needed"
    if not spreads(scores):
        return OperatingPoint(), NO_SPREAD
    return _platt(scores, truth == problem.positive_class) if scores.ndim == 1 else _temperature(scores, truth)


def least_count(classes: NDArray[np.int_], problem: Problem) -> int:
    """How many patients the rarest class has."""
    return int(np.bincount(classes, minlength=problem.count).min())


def _platt(scores: Scores, truth: NDArray[np.bool_]) -> tuple[OperatingPoint, str]:
    """Slope, offset and threshold from scores and `truth` (positive), both (patients,)."""
    targets = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))
    slope, offset = _regression(logit(scores), targets)
    if slope <= 0:
        return OperatingPoint(), WRONG_WAY
    return OperatingPoint(float(targets.mean()), slope=slope, offset=offset), ""


def _temperature(scores: Scores, truth: NDArray[np.int_]) -> tuple[OperatingPoint, str]:
    """The inverse temperature from scores (patients, k) and the numbers of their classes, (patients,).

    The log-likelihood is concave in it: its derivative, the targets' mean logit less the answers', falls to one zero.
    """
    counts = np.bincount(truth, minlength=scores.shape[1])[truth][:, None]
    targets = (np.eye(scores.shape[1])[truth] * counts + 1) / (counts + scores.shape[1])
    logits = log_probabilities(scores)

    def derivative(slope: float) -> float:
        return float(((targets - tempered(scores, slope)) * logits).sum(axis=1).mean())

    if derivative(0.0) <= 0:
        return OperatingPoint(), WRONG_WAY
    above = 1.0
    while derivative(above) > 0:  # ends: every target gives the least probable classes some weight
        above *= 2
    return OperatingPoint(slope=float(brentq(derivative, 0.0, above, xtol=1e-9))), ""


def spreads(scores: Scores) -> bool:
    """Whether scores distinguish patients."""
    return bool(np.ptp(scores, axis=0).max() >= SPREAD)


def _regression(values: Scores, targets: Scores) -> tuple[float, float]:
    """Slope and offset of the logistic regression of targets that are probabilities: each patient enters as
    positive with the weight of the target, and as negative with the rest."""
    weights, grades = np.append(targets, 1 - targets), np.repeat([1, 0], len(values))
    from sklearn.linear_model import LogisticRegression  # takes a second, and stages read only the version

    without_penalty = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    fitted = without_penalty.fit(np.tile(values, 2)[:, None], grades, sample_weight=weights)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
