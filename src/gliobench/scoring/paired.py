"""Two models on the same patients: their difference, its 95 % interval, its p and the minimum detectable difference.

`docs/compare.md` says which test is used for what, and why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr, ndtri
from statsmodels.stats.contingency_tables import mcnemar

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.scoring.grades import AUC, METRICS, weighted_auc
from gliobench.scoring.intervals import LEVEL, SHARE, Bootstrap, Figure, Scale, undefined
from gliobench.scoring.power import smallest_mean, smallest_normal, smallest_share

MCNEMAR = "exact McNemar"
PERMUTATION = "paired permutation"
DELONG = "DeLong"
# Of two classes; not of slices, and not within sources, which tables to be compared do not keep.
GRADE_METRICS = tuple(
    metric.id for metric in METRICS if metric.of_patients and metric.applies(GLIOMA) and not metric.within_origins
)
SCALES = {metric.id: metric.scale for metric in METRICS}
_BATCH = 500  # resamples at once: more do not fit the processor's cache

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """Two models' values over the same `n` patients. `figure`: a minus b with its interval.

    `p` is NaN where there is no test; `test` says why. `smallest_detectable` is NaN where it is undefined.
    """

    n: int
    value_a: float
    value_b: float
    figure: Figure
    p: float
    test: str
    smallest_detectable: float


@dataclass(frozen=True, eq=False)
class Calls:
    """One model's class of each patient, of two: `called` positive (bool), and `score`, higher means positive."""

    called: Bools
    score: Floats


def no_difference_defined(n: int, reason: str) -> Difference:
    """An undefined difference."""
    nan = float("nan")
    return Difference(n, nan, nan, undefined(reason), nan, f"none: {reason}", nan)


def mean_differences(
    a: Floats, b: Floats, scales: Sequence[Scale], bootstrap: Bootstrap, permutations: int
) -> list[Difference]:
    """The difference of means of each column of (patients, columns), by paired permutation (`permutations`, or all);
    `scales`: those of the columns' means."""
    n = len(a)
    if n == 0:
        return [no_difference_defined(0, "no patient in common") for _ in a.T]
    difference = a - b
    figures = bootstrap.means(difference, [one.difference for one in scales])
    p, test = permuted((difference.T,), lambda flipped, axis: flipped.mean(axis=axis), bootstrap.seed, permutations)
    return [
        Difference(
            n=n,
            value_a=float(a[:, column].mean()),
            value_b=float(b[:, column].mean()),
            figure=figures[column],
            p=float(p[column]),
            test=test,
            smallest_detectable=smallest_mean(difference[:, column]),
        )
        for column in range(a.shape[1])
    ]


def share_difference(a: Bools, b: Bools, bootstrap: Bootstrap, reason: str) -> Difference:
    """The difference of two proportions of correct patients, by exact McNemar; `reason`: why there may be no
    patients."""
    n = len(a)
    if n == 0:
        return no_difference_defined(0, reason)
    (figure,) = bootstrap.means((a.astype(np.float64) - b)[:, None], [SHARE.difference])
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    p, test = (float("nan"), "none: n=1") if n < 2 else (float(mcnemar(table, exact=True).pvalue), MCNEMAR)
    return Difference(n, float(a.mean()), float(b.mean()), figure, p, test, smallest_share(n, only_a + only_b))


def grade_differences(
    truth: Bools, a: Calls, b: Calls, bootstrap: Bootstrap, permutations: int, problem: Problem = GLIOMA
) -> dict[str, Difference]:
    """accuracy, balanced_accuracy, precision, recall, specificity, f1 and auc of two classes; `truth`: (patients,),
    True is the positive class of `problem`."""
    positive, negative = sides(problem)
    shares = {
        "accuracy": share_difference(a.called == truth, b.called == truth, bootstrap, "no patient in common"),
        "recall": share_difference(a.called[truth], b.called[truth], bootstrap, f"no {positive} patient"),
        "specificity": share_difference(~a.called[~truth], ~b.called[~truth], bootstrap, f"no {negative} patient"),
    }
    others = _others(truth, a, b, bootstrap, permutations, problem)
    return {metric: shares[metric] if metric in shares else others[metric] for metric in GRADE_METRICS}


def sides(problem: Problem) -> tuple[str, str]:
    """The names of the positive and of the other class of two."""
    return problem.classes[problem.positive_class], problem.classes[1 - problem.positive_class]


def delong(truth: Bools, a: Floats, b: Floats) -> tuple[float, float, float]:
    """The AUC of each score and the standard error of their difference (DeLong et al. 1988); NaN with fewer than two
    patients of a class."""
    (rows_a, columns_a), (rows_b, columns_b) = _placements(truth, a), _placements(truth, b)
    if min(len(rows_a), len(columns_a)) < 2:
        return float(rows_a.mean()), float(rows_b.mean()), float("nan")
    variance = sum(float(np.var(part, ddof=1)) / len(part) for part in (rows_a - rows_b, columns_a - columns_b))
    return float(rows_a.mean()), float(rows_b.mean()), float(np.sqrt(variance))


def _others(
    truth: Bools, a: Calls, b: Calls, bootstrap: Bootstrap, permutations: int, problem: Problem
) -> dict[str, Difference]:
    """The metrics that are not proportions of patients of one kind."""
    positive, negative = sides(problem)
    n, names = len(truth), ("balanced_accuracy", "precision", "f1")
    reason = "no patient in common" if n == 0 else f"no {positive} patient" if not truth.any() else ""
    if reason or truth.all():
        return {name: no_difference_defined(n, reason or f"no {negative} patient") for name in (*names, "auc")}

    def statistic(weights: Floats) -> Floats:
        of_a, of_b = (
            np.stack([*_weighted(weights, truth, one), weighted_auc(weights, truth, one.score)], -1) for one in (a, b)
        )
        difference: Floats = of_a - of_b
        return difference

    rarer = min(int(truth.sum()), int((~truth).sum()))
    called = a.called | b.called
    over = [rarer, int(called.sum()), int((called | truth).sum()), rarer]
    figures = bootstrap.figures(statistic, n, [SCALES[name].difference for name in (*names, AUC.id)], over)
    everybody = np.ones((1, n))
    found = {}
    for place, name in enumerate(names):
        value_a, value_b = (float(_weighted(everybody, truth, one)[place][0]) for one in (a, b))
        if np.isnan(value_a + value_b):
            found[name] = no_difference_defined(n, f"no patient called {positive} by one of the two")
            continue
        p, test = permuted((a.called, b.called), _call_statistic(truth, place), bootstrap.seed, permutations)
        smallest = smallest_normal((figures[place].high - figures[place].low) / (2 * float(ndtri((1 + LEVEL) / 2))))
        found[name] = Difference(n, value_a, value_b, figures[place], float(p), test, smallest)
    found["auc"] = _auc_difference(truth, a.score, b.score, figures[-1], bootstrap.seed, permutations)
    return found


def _auc_difference(truth: Bools, a: Floats, b: Floats, figure: Figure, seed: int, permutations: int) -> Difference:
    """By DeLong; by swaps of the two models' ranks within patients (Venkatraman and Begg 1996) where its standard error
    is 0 and the areas differ, as for a perfect and a constant score."""
    if np.isnan(a).any() or np.isnan(b).any():
        return no_difference_defined(len(truth), "a patient without a score")
    value_a, value_b, error = delong(truth, a, b)
    if error > 0:
        p, test = 2 * float(ndtr(-abs(value_a - value_b) / error)), DELONG
    elif error == 0 and value_a == value_b:
        p, test = 1.0, DELONG
    elif error == 0:
        ranks = (stats.rankdata(a), stats.rankdata(b))
        found, test = permuted(ranks, _area_statistic(truth), seed, permutations)
        p = float(found)
    else:
        p, test = float("nan"), "none: too few patients for DeLong"
    return Difference(len(truth), value_a, value_b, figure, p, test, smallest_normal(error))


def _placements(truth: Bools, score: Floats) -> tuple[Floats, Floats]:
    """For each positive patient the proportion of the negative below it, for each negative that of the positive above;
    ties half."""
    high, low = score[truth][:, None], score[~truth][None]
    ordered = np.where(high == low, 0.5, high > low)
    return ordered.mean(axis=1), ordered.mean(axis=0)


def _weighted(weights: Floats, truth: Bools, calls: Calls) -> tuple[Floats, Floats, Floats]:
    called = calls.called
    return call_figures(weights @ (called & truth), weights @ called, weights @ truth, weights @ ~truth)


def call_figures(hits: Floats, called: Floats, positives: Floats, negatives: Floats) -> tuple[Floats, Floats, Floats]:
    """balanced accuracy, precision and F1 from counts; NaN where the denominator is 0."""
    specificity = 1 - ratio(called - hits, negatives)
    return (
        (ratio(hits, positives) + specificity) / 2,
        ratio(hits, called),
        ratio(2 * hits, positives + called),
    )


def _call_statistic(truth: Bools, place: int) -> Callable[..., Floats]:
    """The difference of one of `call_figures`, for SciPy."""
    positives, negatives = np.asarray(float(truth.sum())), np.asarray(float((~truth).sum()))

    def statistic(a: Bools, b: Bools, axis: int) -> Floats:
        counts = [((side & truth).sum(axis=axis), side.sum(axis=axis)) for side in (a, b)]
        values = [call_figures(hits, called, positives, negatives)[place] for hits, called in counts]
        return values[0] - values[1]

    return statistic


def _area_statistic(truth: Bools) -> Callable[..., Floats]:
    """The difference of two AUCs, for SciPy: of the sums of the positive patients' ranks, over all pairs."""
    positives, negatives = int(truth.sum()), int((~truth).sum())

    def statistic(a: Floats, b: Floats, axis: int) -> Floats:
        sums = [stats.rankdata(side, axis=axis)[..., truth].sum(axis=axis) for side in (a, b)]
        return np.asarray((sums[0] - sums[1]) / (positives * negatives))

    return statistic


def permuted(
    data: Sequence[NDArray[np.generic]], difference: Callable[..., Floats], seed: int, permutations: int
) -> tuple[Floats, str]:
    """Two-sided p when the two models' values are swapped within patients (last axis), and the test's name.

    All swaps where they are no more than the resamples. A swap without a value counts as extreme: p is never too small.
    """
    n = data[0].shape[-1]
    if n < 2:
        return np.full(data[0].shape[:-1], np.nan), "none: n=1"

    def size(*sides: NDArray[np.generic], axis: int) -> Floats:
        values = np.round(np.abs(difference(*sides, axis=axis)), 10)
        return np.where(np.isnan(values), np.inf, values)

    found = stats.permutation_test(
        data, size, permutation_type="samples", vectorized=True, n_resamples=permutations, batch=_BATCH,
        alternative="greater", axis=-1, rng=np.random.default_rng(seed),
    )  # fmt: skip
    how = "exact" if 2**n <= permutations else f"{permutations:,} resamples"
    return np.asarray(found.pvalue), f"{PERMUTATION} ({how})"


def ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
