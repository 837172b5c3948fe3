"""Whether a model's probabilities of HGG can be taken at their word: Brier score, calibration error, slope, intercept.

Only of models that give a probability of their own, for the whole patient or gathered from his slices by
`gliobench.scoring.aggregate`. A patient without a usable answer counts as the probability 1 - truth, as in the AUC: the
worst there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.subject import HGG
from gliobench.models.calibration import SPREAD, spreads
from gliobench.scoring.grades import GradedPatient
from gliobench.scoring.intervals import Bootstrap, Figure, Scans, wilson, without_interval

BINS = 10  # of equal width; a probability on an edge belongs to the upper bin, 1 to the last
CLIP = 1e-6  # so that the logit of 0 and of 1 is finite
STEPS = 50  # of Newton's method and of bisection; both have converged long before
HALVINGS, TOLERANCE = 30, 1e-9  # a step's; of the likelihood too, below which it is rounding

SEVERAL = "patients have several scans"
NO_SPREAD = f"all probabilities lie within {SPREAD:g}"

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class ReliabilityBin:
    """The scans of one bin: how many, their mean probability, and the share of HGG among them."""

    n: int
    mean: float
    share: Figure


def has_probabilities(patients: Sequence[GradedPatient]) -> bool:
    """Whether the model gave any probability of its own, rather than votes."""
    return any(patient.votes.probability is not None for patient in patients)


def calibration_figures(
    patients: Sequence[GradedPatient], bootstrap: Bootstrap, whose: Sequence[str] = ()
) -> dict[str, Figure]:
    """brier, calibration_error, calibration_slope and calibration_intercept, each with its bootstrap interval.

    Brier (1950): the mean squared difference of probability and truth. Calibration error (Naeini 2015, positive class):
    over `BINS` bins, the mean of |mean probability - share of HGG|, weighted by patients. Slope b: of the logistic
    regression of the truth on the logit of the probability (Cox 1958); 1 is right, below it is too sure of itself.
    Intercept: the same with the slope held at 1; 0 is right, below it HGG is called too probable. `whose`: as of
    `gliobench.scoring.grades.grade_figures`.
    """
    whose = whose or list(map(str, range(len(patients))))
    truth = np.array([patient.truth for patient in patients]) == HGG
    probability = np.array([patient.score for patient in patients], dtype=np.float64)
    logit = _logit(probability)

    def statistic(weights: Floats) -> Floats:
        columns = (
            weights @ (probability - truth) ** 2 / weights.sum(axis=1),
            _calibration_error(weights, truth, probability),
            _slope(weights, truth, logit),
            _intercept(weights, truth, logit),
        )
        return np.stack(columns, axis=1)

    brier, error, slope, intercept = bootstrap.figures_of_scans(statistic, whose)
    everybody = np.ones((1, len(patients)), dtype=bool)
    one_grade = "no LGG patient" if truth.all() else "" if truth.any() else "no HGG patient"
    given = [patient.votes.probability for patient in patients if patient.votes.probability is not None]
    equal = "" if spreads(np.array(given)) else NO_SPREAD
    apart = "the probabilities separate the grades" if _separated(everybody, truth, logit).all() else ""
    return {
        "brier": brier,
        "calibration_error": error,
        "calibration_slope": slope.unless(one_grade or equal or apart),
        "calibration_intercept": intercept.unless(one_grade),
    }


def reliability(truth: Truth, probability: Floats, whose: Sequence[str] = ()) -> list[ReliabilityBin]:
    """The bins that hold scans, from the lowest probability to the highest; intervals of shares are Wilson's.

    `whose`: the patient of each scan; where one has several, every patient weighs the same and shares have no interval.
    """
    several = len(set(whose)) < len(whose)
    weights = Scans.of(whose).share if several else np.ones(len(truth))
    bins = _bins(probability)
    found = []
    for number in np.unique(bins):
        inside = bins == number
        n, high = int(inside.sum()), int(truth[inside].sum())
        mean, share = (float(np.average(one[inside], weights=weights[inside])) for one in (probability, truth))
        figure = without_interval(share, SEVERAL) if several else wilson(high, n, len(truth), "")
        found.append(ReliabilityBin(n, mean, figure))
    return found


def _bins(probability: Floats) -> NDArray[np.intp]:
    return np.minimum(np.floor(np.round(probability * BINS, 9)), BINS - 1).astype(np.intp)


def _calibration_error(weights: Floats, truth: Truth, probability: Floats) -> Floats:
    """Of each resample: the sum over bins of |sum of (probability - truth)|, over the patients."""
    inside = _bins(probability)[:, None] == np.arange(BINS)
    error: Floats = np.abs(weights @ (inside * (probability - truth)[:, None])).sum(axis=1) / weights.sum(axis=1)
    return error


def _separated(drawn: NDArray[np.bool_], truth: Truth, logit: Floats) -> NDArray[np.bool_]:
    """Where no probability of one grade lies beyond one of the other's, so that no finite slope is best."""
    low, high = np.where(drawn, logit, np.inf), np.where(drawn, logit, -np.inf)
    upward = high[:, ~truth].max(axis=1, initial=-np.inf) <= low[:, truth].min(axis=1, initial=np.inf)
    downward = high[:, truth].max(axis=1, initial=-np.inf) <= low[:, ~truth].min(axis=1, initial=np.inf)
    return np.asarray(upward | downward)


def _slope(weights: Floats, truth: Truth, logit: Floats) -> Floats:
    """Newton's method on all resamples at once, each step halved as long as the fit gets worse; NaN where the grades
    are separated or one is absent, and where it has not converged."""
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
    """Of each resample: minus the log-likelihood of the truth."""
    said = a[:, None] + b[:, None] * logit
    misfit: Floats = (weights * np.logaddexp(0, np.where(truth, -said, said))).sum(axis=1)
    return misfit


def _intercept(weights: Floats, truth: Truth, logit: Floats) -> Floats:
    """The shift of all logits that makes the probabilities sum to the HGG patients, by bisection; NaN for one grade."""
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
