"""Two models' calls of two classes, patients with several scans: resampling, swapping and counting is by patient,
never by scan.

Every patient has the same weight, divided evenly among its scans, which need not be the same for both models.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.scoring.grades import AUC, weighted_auc
from gliobench.scoring.intervals import LEVEL, Bootstrap, Scans
from gliobench.scoring.paired import (
    GRADE_METRICS,
    SCALES,
    Bools,
    Difference,
    Floats,
    call_figures,
    no_difference_defined,
    permuted,
    ratio,
    sides,
)
from gliobench.scoring.power import smallest_normal

OBUCHOWSKI = "Obuchowski"
CALLS = tuple(metric for metric in GRADE_METRICS if metric != AUC.id)


@dataclass(frozen=True, eq=False)
class ScanCalls:
    """One model's class of each scan, of two. `whose`: (scans,) the patient of each, all of `patients`, whose order
    numbers them; `truth`, `called`: (scans,) bool, True is positive; `score`: (scans,) float, higher means positive."""

    whose: tuple[str, ...]
    patients: tuple[str, ...]
    truth: Bools
    called: Bools
    score: Floats

    @cached_property
    def scans(self) -> Scans:
        """The patient of each scan, numbered as in `patients`."""
        number = {patient: place for place, patient in enumerate(self.patients)}
        place = np.array([number[patient] for patient in self.whose], dtype=np.intp)
        return Scans(place, 1 / np.bincount(place)[place])

    @cached_property
    def counts(self) -> Floats:
        """(patients, 4): for each patient the weight of scans that are positive and called so, called positive,
        positive, and negative."""
        kinds = np.stack([self.called & self.truth, self.called, self.truth, ~self.truth], axis=1)
        counts = np.zeros((len(self.patients), kinds.shape[1]))
        np.add.at(counts, self.scans.place, kinds * self.scans.share[:, None])
        return counts

    def auc(self, drawn: Floats) -> Floats:
        """(resamples,) from how often each patient was drawn (resamples, patients)."""
        return weighted_auc(self.scans.weights(drawn), self.truth, self.score)


def scan_differences(
    a: ScanCalls, b: ScanCalls, bootstrap: Bootstrap, permutations: int, problem: Problem = GLIOMA
) -> dict[str, Difference]:
    """The metrics of `paired.grade_differences`, a minus b, over the same patients; intervals resample whole patients.

    For calls, p is from swapping the two models' calls within whole patients, `permutations` times or all; for the AUC
    by Obuchowski.
    """
    n = len(a.patients)
    if n == 0:
        return {metric: no_difference_defined(0, "no patient in common") for metric in GRADE_METRICS}
    scales = [SCALES[metric].difference for metric in (*CALLS, AUC.id)]
    over = [_patients_over(a, b)[metric] for metric in (*CALLS, AUC.id)]
    figures = bootstrap.figures(lambda drawn: _all(a, drawn) - _all(b, drawn), n, scales, over)
    values = [_all(side, np.ones((1, n)))[0] for side in (a, b)]
    found = {}
    for place, metric in enumerate((*CALLS, AUC.id)):
        one, other = (float(side[place]) for side in values)
        if np.isnan(one + other):
            found[metric] = no_difference_defined(n, _why(a, b, metric, problem))
            continue
        figure = figures[place]
        if metric == AUC.id:
            error = auc_difference_error(a, b)
            p, test = _normal(one - other, error)
        else:
            error = (figure.high - figure.low) / (2 * float(ndtri((1 + LEVEL) / 2)))
            p, test = _swapped(a, b, place, bootstrap.seed, permutations)
        found[metric] = Difference(n, one, other, figure, p, test, smallest_normal(error))
    return {metric: found[metric] for metric in GRADE_METRICS}


def _patients_over(a: ScanCalls, b: ScanCalls) -> dict[str, int]:
    """Of how many patients each metric is a mean."""
    _, called, positive, negative = (a.counts + b.counts > 0).T
    rarer = min(int(positive.sum()), int(negative.sum()))
    return {
        "accuracy": len(a.patients),
        "recall": int(positive.sum()),
        "specificity": int(negative.sum()),
        "precision": int(called.sum()),
        "f1": int((positive | called).sum()),
        "balanced_accuracy": rarer,
        AUC.id: rarer,
    }


def auc_difference_error(a: ScanCalls, b: ScanCalls) -> float:
    """The standard error of the difference of two AUCs over the same patients with several scans each (Obuchowski 1997,
    doi:10.2307/2533958), which is DeLong's where each has one; NaN where a class has fewer than two patients."""
    high, low = (one - other for one, other in zip(_parts(a), _parts(b), strict=True))
    with_high, with_low = (
        (a.counts[:, kind] + b.counts[:, kind] > 0).sum()
        for kind in (2, 3)  # patients with a scan of that class
    )
    if min(with_high, with_low) < 2:
        return float("nan")
    n = len(a.patients)
    variance = (
        with_high / (with_high - 1) * (high @ high)
        + with_low / (with_low - 1) * (low @ low)
        + 2 * n / (n - 1) * (high @ low)
    )
    return float(np.sqrt(max(variance, 0.0)))


def _parts(side: ScanCalls) -> tuple[Floats, Floats]:
    """For each patient, the deviation from the mean AUC of its positive and of its negative scans; (patients,) each."""
    share, truth = side.scans.share, side.truth
    high, low = side.score[truth][:, None], side.score[~truth][None]
    ordered = np.where(high == low, 0.5, high > low)
    weights = share[truth] / share[truth].sum(), share[~truth] / share[~truth].sum()
    area = weights[0] @ ordered @ weights[1]
    parts = []
    for own, weight, component in (
        (truth, weights[0], ordered @ weights[1]),
        (~truth, weights[1], weights[0] @ ordered),
    ):
        part = np.zeros(len(side.patients))
        np.add.at(part, side.scans.place[own], weight * (component - area))
        parts.append(part)
    return parts[0], parts[1]


def _all(side: ScanCalls, drawn: Floats) -> Floats:
    """(resamples, metrics): `CALLS` and the AUC."""
    calls = _calls(drawn @ side.counts)
    return np.concatenate([calls, side.auc(drawn)[:, None]], axis=1)


def _calls(counts: Floats) -> Floats:
    """(…, 6): the metrics of `CALLS` from the four counts (…, 4); NaN where the denominator is 0."""
    hits, called, positives, negatives = np.moveaxis(counts, -1, 0)
    balanced, precision, f1 = call_figures(hits, called, positives, negatives)
    passes = negatives - (called - hits)
    accuracy = ratio(hits + passes, positives + negatives)
    return np.stack([accuracy, balanced, precision, ratio(hits, positives), ratio(passes, negatives), f1], axis=-1)


def _swapped(a: ScanCalls, b: ScanCalls, place: int, seed: int, permutations: int) -> tuple[float, str]:
    """p of one of `CALLS` when the two models are swapped within whole patients, and the test's name."""
    sides, patients = np.stack([a.counts, b.counts]), np.arange(len(a.patients))

    def difference(one: NDArray[np.intp], other: NDArray[np.intp], axis: int) -> Floats:
        values = [_calls(sides[which, patients].sum(axis=-2))[..., place] for which in (one, other)]
        return np.asarray(values[0] - values[1])

    which = (np.zeros(len(patients), dtype=np.intp), np.ones(len(patients), dtype=np.intp))
    p, test = permuted(which, difference, seed, permutations)
    return float(p), test


def _normal(difference: float, error: float) -> tuple[float, str]:
    if error > 0:
        return 2 * float(ndtr(-abs(difference) / error)), OBUCHOWSKI
    if error == 0 and difference == 0:
        return 1.0, OBUCHOWSKI
    why = "too few patients for it" if np.isnan(error) else "its standard error is 0"
    return float("nan"), f"none: {OBUCHOWSKI} is not defined, {why}"


def _why(a: ScanCalls, b: ScanCalls, metric: str, problem: Problem) -> str:
    """Why a metric is not defined."""
    positive, negative = sides(problem)
    if metric == "auc" and any(np.isnan(side.score).any() for side in (a, b)):
        return "a scan without a score"
    if metric != "specificity" and not all(side.truth.any() for side in (a, b)):
        return f"no {positive} patient"
    if metric in ("specificity", "balanced_accuracy", "auc") and any(side.truth.all() for side in (a, b)):
        return f"no {negative} patient"
    return f"no patient called {positive} by one of the two"
