"""The metrics of classes.

Those of one class against the others are of the problem's positive class; with more than two classes they are left out
where the problem names none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np

from gliobench.cohort.problem import Problem
from gliobench.scoring.graded import Bools, Floats, Graded
from gliobench.scoring.intervals import AREA, CLASSES, REAL, SHARE, Scale, Scans
from gliobench.scoring.metric import Metric
from gliobench.scoring.votes import GradedPatient

CLASS_AUC = "auc_"  # before a class's column: the id of its AUC against all others


def _always(graded: Graded) -> str:
    return ""


def _all_scans(graded: Graded) -> list[Bools]:
    return [np.ones(len(graded.truths), dtype=bool)]


def _each_class(graded: Graded) -> list[Bools]:
    return [graded.truths == number for number in range(graded.problem.count)]


@dataclass(frozen=True)
class GradeMetric(Metric):
    """A metric of the classes of all patients.

    `statistic`: from weights (resamples, patients), how often each was drawn, to the values (resamples,), NaN where
    there is none; None for a metric of single patients. `undefined`: why these patients have none, an empty text
    where they have. `share`: for a proportion of patients, its numerator and denominator, both bool; a proportion
    needs no statistic. `scale`: the values it can have. `over`: the groups of scans, each (scans,) bool, that it is
    a mean over: its interval is as wide as the smallest needs. `of_patient`: its value for one patient, in the
    table of patients; with `of_slices` only where slices were asked about. `of_probabilities`: only of models that
    give a probability. `within_origins`: only where patients are from several sites or archives. `classes`: what it
    is of: the "positive" class against the others, "any" number of classes, "several" (more than two), or several
    that are "ordered".
    """

    statistic: Callable[[Floats, Graded], Floats] | None = None
    undefined: Callable[[Graded], str] = _always
    share: Callable[[Graded], tuple[Bools, Bools]] | None = None
    scale: Scale = REAL
    over: Callable[[Graded], Sequence[Bools]] = _all_scans
    of_patient: Callable[[GradedPatient], float] | None = None
    of_slices: bool = False
    of_probabilities: bool = False
    within_origins: bool = False
    classes: Literal["positive", "any", "several", "ordered"] = "positive"

    @property
    def of_patients(self) -> bool:
        """Whether it has a value over all patients, and not only for each."""
        return self.share is not None or self.statistic is not None

    def applies(self, problem: Problem) -> bool:
        """Whether a problem has the classes that it is of."""
        return {
            "positive": bool(problem.positive) or not problem.several,
            "any": True,
            "several": problem.several,
            "ordered": problem.several and problem.ordered,
        }[self.classes]

    def values(self, weights: Floats, graded: Graded) -> Floats:
        """(resamples,) from weights (resamples, patients)."""
        if self.share is not None:
            part, whole = self.share(graded)
            return proportion(weights @ part, weights @ whole)
        assert self.statistic is not None
        return self.statistic(weights, graded)


def patients_over(metric: GradeMetric, graded: Graded, scans: Scans) -> int:
    """Of how many patients a metric is a mean."""
    return min(scans.patients_in(group) for group in metric.over(graded))


def proportion(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where whole is 0."""
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def weighted_auc(weights: Floats, truth: Bools, score: Floats) -> Floats:
    """The AUC of each resample, from `weights` (resamples, patients), how often each was drawn; NaN without patients of
    both kinds.

    The proportion of (positive, negative) pairs in the right order, half for ties (Hanley and McNeil 1982)."""
    return proportion(*_pairs(weights, truth, score))


def _pairs(weights: Floats, truth: Bools, score: Floats) -> tuple[Floats, Floats]:
    """(resamples,) the weight of (positive, negative) pairs in the right order, half for ties, and of all."""
    high, low = score[truth][:, None], score[~truth][None]
    ordered = np.where(high == low, 0.5, high > low)
    right: Floats = ((weights[:, truth] @ ordered) * weights[:, ~truth]).sum(axis=1)
    return right, weights[:, truth].sum(axis=1) * weights[:, ~truth].sum(axis=1)


def _auc_within(weights: Floats, graded: Graded) -> Floats:
    """The AUC over the pairs of patients of one source, all such pairs together: what is left of it where the source
    tells nothing."""
    right, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for own in graded.mixed_origins:
        found = _pairs(weights[:, own], graded.truth[own], graded.score[own])
        right, pairs = right + found[0], pairs + found[1]
    return proportion(right, pairs)


def _each_class_within(graded: Graded) -> list[Bools]:
    mixed = np.any([np.zeros_like(graded.truth), *graded.mixed_origins], axis=0)
    return [graded.truth & mixed, ~graded.truth & mixed]


def _no_mixed_origin(graded: Graded) -> str:
    return "" if graded.mixed_origins else f"no source has patients with {graded.positive} and others"


def _auc(weights: Floats, graded: Graded) -> Floats:
    """Of two classes the AUC. Of more, M of Hand and Till (2001, doi:10.1023/A:1010920819831): for every two classes,
    how often the score of the one ranks a patient of it above one of the other; their mean."""
    if not graded.problem.several:
        return weighted_auc(weights, graded.truth, graded.score)
    found = []
    for number, other in permutations(range(graded.problem.count), 2):
        two = (graded.truths == number) | (graded.truths == other)
        found.append(weighted_auc(weights[:, two], graded.truths[two] == number, graded.scores[two, number]))
    mean: Floats = np.mean(found, axis=0)
    return mean


def _balanced_accuracy(weights: Floats, graded: Graded) -> Floats:
    """The mean of the classes' recalls."""
    recalls = [
        proportion(weights @ (own & (graded.calls == number)), weights @ own)
        for number in range(graded.problem.count)
        for own in [graded.truths == number]
    ]
    mean: Floats = sum(recalls[1:], recalls[0]) / len(recalls)
    return mean


def _f1(weights: Floats, graded: Graded) -> Floats:
    hits: Floats = weights @ (graded.called & graded.truth)
    return proportion(2 * hits, weights @ graded.truth + weights @ graded.called)


def _macro_f1(weights: Floats, graded: Graded) -> Floats:
    """The mean of the classes' F1; a patient without a call is a miss of its own class."""
    found = []
    for number in range(graded.problem.count):
        own, called = graded.truths == number, graded.calls == number
        found.append(proportion(2 * (weights @ (own & called)), weights @ own + weights @ called))
    mean: Floats = np.mean(found, axis=0)
    return mean


def _kappa(weights: Floats, graded: Graded) -> Floats:
    """Cohen's kappa with quadratic weights (1968, doi:10.1037/h0026256); a patient without a call counts as called the
    class farthest from its own, the lower of two."""
    numbers = np.arange(graded.problem.count)
    steps = (numbers[:, None] - numbers) ** 2
    calls = np.where(graded.calls == graded.problem.none, steps.argmax(axis=1)[graded.truths], graded.calls)
    truths, called = (weights @ (side[:, None] == numbers) for side in (graded.truths, calls))
    observed = weights @ steps[graded.truths, calls]
    expected = ((truths @ steps) * called).sum(axis=1) / weights.sum(axis=1)
    return 1 - proportion(observed, expected)


def _one_class(graded: Graded) -> str:
    """That truth and calls are one class, whose kappa is 0 / 0."""
    found = {*graded.truths.tolist(), *graded.calls.tolist()}
    name = graded.problem.class_name(next(iter(found), None))
    return f"every patient is {name} and called {name}" if len(found) < 2 else ""


def class_auc(problem: Problem, number: int) -> GradeMetric:
    """The AUC of one class against all others."""
    return GradeMetric(
        *(f"{CLASS_AUC}{problem.class_columns[number]}", f"AUC of {problem.classes[number]}", "share", "higher"),
        statistic=lambda weights, graded: weighted_auc(weights, graded.truths == number, graded.scores[:, number]),
        scale=AREA,
        over=lambda graded: [graded.truths == number, graded.truths != number],
        undefined=lambda graded: _against_others(graded, number),
        classes="several",
    )


def _against_others(graded: Graded, number: int) -> str:
    own, name = graded.truths == number, graded.problem.classes[number]
    return f"every patient is {name}" if own.all() else "" if own.any() else f"no {name} patient"


def _right(patient: GradedPatient) -> float:
    return float(patient.predicted == patient.truth)


ACCURACY = GradeMetric(
    *("accuracy", "accuracy", "share", "higher"),
    share=lambda graded: (graded.calls == graded.truths, np.ones_like(graded.truth)),
    scale=SHARE,
    of_patient=_right,
    classes="any",
)
SLICE_ACCURACY = GradeMetric(
    *("slice_accuracy", "slice accuracy", "share", "higher"),
    of_patient=lambda patient: patient.slice_accuracy,
    of_slices=True,
    classes="any",
)
PRECISION = GradeMetric(
    *("precision", "precision", "share", "higher"),
    share=lambda graded: (graded.truth & graded.called, graded.called),
    scale=SHARE,
    over=lambda graded: [graded.called],
    undefined=lambda graded: "" if graded.called.any() else f"no patient called {graded.positive}",
)
RECALL = GradeMetric(
    *("recall", "recall", "share", "higher"),
    share=lambda graded: (graded.called & graded.truth, graded.truth),
    scale=SHARE,
    over=lambda graded: [graded.truth],
    undefined=lambda graded: graded.no_positive,
)
SPECIFICITY = GradeMetric(
    *("specificity", "specificity", "share", "higher"),
    share=lambda graded: (~graded.called & ~graded.truth, ~graded.truth),
    scale=SHARE,
    over=lambda graded: [~graded.truth],
    undefined=lambda graded: graded.no_negative,
)
BALANCED_ACCURACY = GradeMetric(
    *("balanced_accuracy", "balanced accuracy", "share", "higher"),
    statistic=_balanced_accuracy,
    scale=CLASSES,
    over=_each_class,
    undefined=lambda graded: graded.absent,
    classes="any",
)
F1 = GradeMetric(
    *("f1", "F1", "share", "higher"),
    statistic=_f1,
    scale=CLASSES,
    over=lambda graded: [graded.truth | graded.called],
    undefined=lambda graded: (
        "" if (graded.truth | graded.called).any() else f"{graded.no_positive} and none called {graded.positive}"
    ),
)
AUC = GradeMetric(
    *("auc", "AUC", "share", "higher"),
    statistic=_auc,
    scale=AREA,
    over=_each_class,
    undefined=lambda graded: graded.absent,
    classes="any",
)
AUC_WITHIN = GradeMetric(
    *("within_source_auc", "AUC within sources", "share", "higher"),
    statistic=_auc_within,
    scale=AREA,
    over=_each_class_within,
    undefined=_no_mixed_origin,
    within_origins=True,
)
MACRO_F1 = GradeMetric(
    *("macro_f1", "macro F1", "share", "higher"),
    statistic=_macro_f1,
    scale=CLASSES,
    over=_each_class,
    undefined=lambda graded: graded.absent,
    classes="several",
)
KAPPA = GradeMetric(
    *("weighted_kappa", "weighted kappa", "share", "higher"),
    statistic=_kappa,
    scale=Scale("", -1, 1),
    undefined=_one_class,
    classes="ordered",
)
METRICS = (
    *(ACCURACY, SLICE_ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, SPECIFICITY, F1, AUC, AUC_WITHIN),
    *(MACRO_F1, KAPPA),
)


def class_aucs(problem: Problem) -> tuple[GradeMetric, ...]:
    """With more than two classes the AUC of each."""
    return tuple(class_auc(problem, number) for number in range(problem.count)) if problem.several else ()
