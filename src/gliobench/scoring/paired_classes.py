"""Two models' calls of more than two classes, patient by patient: differences as in `gliobench.scoring.paired`.

Every patient has the same weight, divided evenly among its scans, which need not be the same for both models;
resampling and swapping is by patient. `docs/compare.md` says which test is used for what, and why.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import stats
from scipy.special import ndtri

from gliobench.cohort.problem import Problem
from gliobench.scoring.graded import Floats, Graded
from gliobench.scoring.grades import ACCURACY, METRICS, GradeMetric, class_aucs, patients_over
from gliobench.scoring.intervals import LEVEL, Bootstrap, Figure, Scans
from gliobench.scoring.paired import Difference, no_difference_defined, permuted, share_difference
from gliobench.scoring.power import smallest_normal


@dataclass(frozen=True, eq=False)
class ClassCalls:
    """One model's class of each scan. `whose`: (scans,) the patient of each, all of `patients`, whose order numbers
    them, the scans of a patient in one order for all models."""

    whose: tuple[str, ...]
    patients: tuple[str, ...]
    graded: Graded

    @cached_property
    def scans(self) -> Scans:
        """The patient of each scan, numbered as in `patients`."""
        number = {patient: place for place, patient in enumerate(self.patients)}
        place = np.array([number[patient] for patient in self.whose], dtype=np.intp)
        return Scans(place, 1 / np.bincount(place)[place])

    def values(self, metric: GradeMetric, drawn: Floats) -> Floats:
        """(resamples,) from how often each patient was drawn (resamples, patients)."""
        return metric.values(self.scans.weights(drawn), self.graded)

    @cached_property
    def ranked(self) -> Graded:
        """With the proportion of scans below each instead of its scores, so that two models' can be swapped."""
        return replace(self.graded, scores=stats.rankdata(self.graded.scores, axis=0) / len(self.whose))


def class_metrics(problem: Problem) -> tuple[str, ...]:
    """The metrics that are compared with more than two classes."""
    return tuple(metric.id for metric in _metrics(problem))


def _metrics(problem: Problem) -> list[GradeMetric]:
    return [metric for metric in (*METRICS, *class_aucs(problem)) if metric.of_patients and metric.applies(problem)]


def class_differences(
    a: ClassCalls, b: ClassCalls, bootstrap: Bootstrap, permutations: int, metrics: Collection[str] | None = None
) -> dict[str, Difference]:
    """`class_metrics`, a minus b, over the same patients; of `metrics` alone where they are given. Accuracy by exact
    McNemar where both have one scan per patient, all else by paired permutation (`permutations`, or all)."""
    n = len(a.patients)
    chosen = [one for one in _metrics(a.graded.problem) if metrics is None or one.id in metrics]
    if n == 0:
        return {metric.id: no_difference_defined(0, "no patient in common") for metric in chosen}
    if not chosen:
        return {}
    figures = bootstrap.figures(
        lambda drawn: np.stack([a.values(metric, drawn) - b.values(metric, drawn) for metric in chosen], axis=1),
        n,
        [metric.scale.difference for metric in chosen],
        [min(patients_over(metric, side.graded, side.scans) for side in (a, b)) for metric in chosen],
    )
    once = len(a.whose) == len(b.whose) == n
    found = {}
    for metric, figure in zip(chosen, figures, strict=True):
        if once and metric is ACCURACY:
            of_a, of_b = (side.graded.calls == side.graded.truths for side in (a, b))
            found[metric.id] = share_difference(of_a, of_b, bootstrap, "no patient in common")
        else:
            found[metric.id] = _difference(metric, a, b, figure, bootstrap.seed, permutations)
    return found


def _difference(
    metric: GradeMetric, a: ClassCalls, b: ClassCalls, figure: Figure, seed: int, permutations: int
) -> Difference:
    n = len(a.patients)
    one, other = (float(side.values(metric, np.ones((1, n)))[0]) for side in (a, b))
    if np.isnan(one + other):
        reasons = [metric.undefined(side.graded) for side in (a, b)]
        return no_difference_defined(n, next(filter(None, reasons), "no value for these patients"))
    p, test = _swapped(metric, a, b, seed, permutations)
    error = (figure.high - figure.low) / (2 * float(ndtri((1 + LEVEL) / 2)))
    return Difference(n, one, other, figure, p, test, smallest_normal(error))


def _swapped(metric: GradeMetric, a: ClassCalls, b: ClassCalls, seed: int, permutations: int) -> tuple[float, str]:
    """p when the two models' calls, and the ranks of their scores (Venkatraman and Begg 1996), are swapped within whole
    patients, and the test's name. A swap is a weight: of every patient each side has one model's scans and not the
    other's."""
    of_a, of_b = a.ranked, b.ranked
    both = replace(
        of_a,
        truths=np.concatenate([of_a.truths, of_b.truths]),
        calls=np.concatenate([of_a.calls, of_b.calls]),
        scores=np.concatenate([of_a.scores, of_b.scores]),
    )

    def of_side(from_b: Floats) -> Floats:
        weights = np.concatenate([a.scans.weights(1 - from_b), b.scans.weights(from_b)], axis=1)
        return metric.values(weights, both)

    def difference(one: Floats, other: Floats, axis: int) -> Floats:
        values = [of_side(np.atleast_2d(side)) for side in (one, other)]
        return np.asarray((values[0] - values[1]).reshape(one.shape[:-1]))

    patients = np.zeros(len(a.patients))
    p, test = permuted((patients, patients + 1), difference, seed, permutations)
    return float(p), test
