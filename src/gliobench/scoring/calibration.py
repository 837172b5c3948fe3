"""Whether a model's probabilities are calibrated: Brier score, calibration error, slope, intercept.

Only for models that give a probability of their own, for the whole patient or aggregated from the patient's slices by
`gliobench.scoring.aggregate`. With two classes all of them are of the probability of the positive one, and a patient
without a usable answer counts as the probability 1 - truth, the worst possible, as in the AUC. With more, it counts as
certain of a wrong class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.models.base.calibration import SPREAD, spreads
from gliobench.scoring.graded import Graded
from gliobench.scoring.grades import GradeMetric
from gliobench.scoring.intervals import Figure, Scans, agresti_coull, without_interval

BINS = 10  # of equal width; a probability on an edge belongs to the upper bin, 1 to the last
CLIP = 1e-6  # so that the logit of 0 and of 1 is finite
STEPS = 50  # of Newton's method and of bisection; both converge much earlier
HALVINGS, TOLERANCE = 30, 1e-9  # of a step; relative to the likelihood, below which a change is rounding

SEVERAL = "patients have several scans"
NO_SPREAD = f"all probabilities lie within {SPREAD:g}"

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class ReliabilityBin:
    """The scans of one bin: how many, their mean probability, and the proportion of the class."""

    n: int
    mean: float
    share: Figure


def reliability(truth: Truth, probability: Floats, whose: Sequence[str] = ()) -> list[ReliabilityBin]:
    """The non-empty bins, from the lowest probability to the highest; proportions have Agresti and Coull's
    intervals.

    `whose`: the patient of each scan; where one has several, every patient has the same weight and proportions have no
    interval.
    """
    several = len(set(whose)) < len(whose)
    weights = Scans.of(whose).share if several else np.ones(len(truth))
    bins = _bins(probability)
    found = []
    for number in np.unique(bins):
        inside = bins == number
        n, high = int(inside.sum()), int(truth[inside].sum())
        mean, share = (float(np.average(one[inside], weights=weights[inside])) for one in (probability, truth))
        figure = without_interval(share, SEVERAL) if several else agresti_coull(high, n, len(truth), "")
        found.append(ReliabilityBin(n, mean, figure))
    return found


def _bins(probability: Floats) -> NDArray[np.intp]:
    return np.minimum(np.floor(np.round(probability * BINS, 9)), BINS - 1).astype(np.intp)


def _calibration_error(weights: Floats, truth: Truth, probability: Floats) -> Floats:
    """For each resample: the sum over bins of |sum of (probability - truth)|, over the patients."""
    inside = _bins(probability)[:, None] == np.arange(BINS)
    error: Floats = np.abs(weights @ (inside * (probability - truth)[:, None])).sum(axis=1) / weights.sum(axis=1)
    return error


def _separated(drawn: NDArray[np.bool_], truth: Truth, logit: Floats) -> NDArray[np.bool_]:
    """Where the probabilities separate the classes, so that the slope is not finite."""
    low, high = np.where(drawn, logit, np.inf), np.where(drawn, logit, -np.inf)
    upward = high[:, ~truth].max(axis=1, initial=-np.inf) <= low[:, truth].min(axis=1, initial=np.inf)
    downward = high[:, truth].max(axis=1, initial=-np.inf) <= low[:, ~truth].min(axis=1, initial=np.inf)
    return np.asarray(upward | downward)


def _slope(weights: Floats, truth: Truth, logit: Floats) -> Floats:
    """Newton's method on all resamples at once, each step halved while the fit gets worse; NaN where the classes are
    separated or one is absent, and without convergence."""
    slopes = np.full(len(weights), np.nan)
    defined = ~_separated(weights > 0, truth, logit)
    drawn = weights[defined]
    a, b = np.zeros((2, len(drawn)))
    misfit = _misfit(drawn, truth, logit, a, b)
    for _ in range(STEPS):
        expected = _sigmoid(a[:, None] + b[:, None] * logit)
        residual, spread = drawn * (truth - expected), drawn * expected * (1 - expected)
        g0, g1 = residual.sum(axis=1), residual @ logit
        h00, h01, h11 = spread.sum(axis=1), spread @ logit, spread @ logit**2
        determinant = np.maximum(h00 * h11 - h01**2, 1e-12)
        step_a, step_b = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        for _ in range(HALVINGS):
            now = _misfit(drawn, truth, logit, a + step_a, b + step_b)
            worse = now > misfit + TOLERANCE
            if not worse.any():
                break
            step_a, step_b = np.where(worse, step_a / 2, step_a), np.where(worse, step_b / 2, step_b)
        a, b, misfit = a + step_a, b + step_b, now
        moved = np.abs(step_a) + np.abs(step_b)
        if moved.max(initial=0) < TOLERANCE:
            break
    slopes[defined] = np.where(moved < TOLERANCE, b, np.nan)
    return slopes


def _misfit(weights: Floats, truth: Truth, logit: Floats, a: Floats, b: Floats) -> Floats:
    """For each resample: minus the log-likelihood of the truth."""
    said = a[:, None] + b[:, None] * logit
    misfit: Floats = (weights * np.logaddexp(0, np.where(truth, -said, said))).sum(axis=1)
    return misfit


def _intercept(weights: Floats, truth: Truth, logit: Floats) -> Floats:
    """The shift of all logits that makes the probabilities sum to the number of positive patients, by bisection; NaN
    for one class."""
    low, high = np.full(len(weights), -40.0), np.full(len(weights), 40.0)
    wanted = weights @ truth
    for _ in range(STEPS):
        middle = (low + high) / 2
        short = (weights * _sigmoid(middle[:, None] + logit)).sum(axis=1) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where((wanted > 0) & (wanted < weights.sum(axis=1)), (low + high) / 2, np.nan)


def _sigmoid(values: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(values, -700, 700)))
    return result


def _logit(probability: Floats) -> Floats:
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _brier(weights: Floats, graded: Graded) -> Floats:
    return np.asarray(weights @ _squared(graded) / weights.sum(axis=1))


def _squared(graded: Graded) -> Floats:
    """(scans,) the squared difference of probability and truth: of the positive class of two; of more their sum, at
    most 2, which is that of a certain wrong class."""
    if not graded.problem.several:
        return np.asarray((graded.score - graded.truth) ** 2)
    truth = graded.truths[:, None] == np.arange(graded.problem.count)
    return np.asarray(np.minimum(((graded.scores - truth) ** 2).sum(axis=1), 2.0))


def judged(graded: Graded) -> tuple[Truth, Floats]:
    """What calibration is of, (scans,) each: with two classes whether a scan is positive, and the probability of that;
    with more whether the most probable class is right, and its probability."""
    if not graded.problem.several:
        return graded.truth, graded.score
    return np.asarray(graded.scores.argmax(axis=1) == graded.truths), np.asarray(graded.scores.max(axis=1))


def _no_slope(graded: Graded) -> str:
    """Why the slope is not finite; empty where it is."""
    if graded.one_grade or not spreads(graded.probabilities):
        return graded.one_grade or NO_SPREAD
    everybody = np.ones((1, len(graded.truth)), dtype=bool)
    apart = _separated(everybody, graded.truth, _logit(graded.score)).all()
    return f"the probabilities separate the {graded.problem.classes_word}" if apart else ""


METRICS = (
    # Brier (1950): the mean squared difference of probability and truth.
    GradeMetric(*("brier", "Brier score", "share", "lower"), statistic=_brier, of_probabilities=True, classes="any"),
    # Over `BINS` bins, the mean of |mean probability - proportion|, weighted by patients: of the positive class of two
    # (Naeini 2015), of more of the most probable class (top-label, Guo 2017).
    GradeMetric(
        *("calibration_error", "calibration error", "share", "lower"),
        statistic=lambda weights, graded: _calibration_error(weights, *judged(graded)),
        of_probabilities=True,
        classes="any",
    ),
    # Of the logistic regression of the truth on the logit (Cox 1958); below 1 the model is overconfident.
    GradeMetric(
        *("calibration_slope", "calibration slope", "share", "1"),
        statistic=lambda weights, graded: _slope(weights, graded.truth, _logit(graded.score)),
        undefined=_no_slope,
        of_probabilities=True,
    ),
    # The same with the slope fixed at 1; below 0 the probabilities of the positive class are too high.
    GradeMetric(
        *("calibration_intercept", "calibration intercept", "share", "0"),
        statistic=lambda weights, graded: _intercept(weights, graded.truth, _logit(graded.score)),
        undefined=lambda graded: graded.one_grade,
        of_probabilities=True,
    ),
)
