"""A patient's grade from the votes of the slices, and the metrics of grades; positive is HGG."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.subject import HGG, LGG
from gliobench.scoring.metric import Metric
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import NO_GLIOMA, Grade

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Votes:
    """The counts of each answer about one patient. `probability`: of HGG, a model's own or from its slices, or None."""

    lgg: int
    hgg: int
    no_glioma: int
    unanswered: int
    probability: float | None = None

    @property
    def asked(self) -> int:
        """All questions."""
        return self.lgg + self.hgg + self.no_glioma + self.unanswered

    @property
    def gldr(self) -> float:
        """The proportion of HGG among the votes for LGG or HGG; NaN where there are none."""
        graded = self.lgg + self.hgg
        return self.hgg / graded if graded else float("nan")


@dataclass(frozen=True)
class GradedPatient:
    """The votes about one scan of a patient with the truth; `predicted` is None where neither grade won."""

    truth: int
    predicted: int | None
    votes: Votes

    @property
    def called(self) -> int:
        """The grade that is scored: for a patient without one, the wrong one."""
        return 1 - self.truth if self.predicted is None else self.predicted

    @property
    def score(self) -> float:
        """The score for the AUC: the model's own probability of HGG, else GLDR; without a grade 1 - truth."""
        if self.predicted is None:
            return float(1 - self.truth)
        return self.votes.gldr if self.votes.probability is None else self.votes.probability

    @property
    def slice_accuracy(self) -> float:
        """The proportion of the slices with the right grade."""
        return (self.votes.hgg if self.truth == HGG else self.votes.lgg) / self.votes.asked


def count_votes(answers: Iterable[Answer], probability: float | None) -> Votes:
    """The votes of one patient. Raises TypeError for an answer that is not a grade."""
    counts = {LGG: 0, HGG: 0, NO_GLIOMA: 0}
    unanswered = 0
    for answer in answers:
        if not isinstance(answer, Answered):
            unanswered += 1
        elif isinstance(answer.value, Grade):
            counts[answer.value.value] += 1
        else:
            raise TypeError(f"a grade is expected, got a {type(answer.value).__name__}")
    return Votes(counts[LGG], counts[HGG], counts[NO_GLIOMA], unanswered, probability)


def most_votes(votes: Votes) -> int | None:
    """LGG or HGG where it has the most of the four counts, in a tie the lower class; None where another has."""
    counts = (votes.lgg, votes.hgg, votes.no_glioma, votes.unanswered)
    winner = counts.index(max(counts))
    return winner if winner in (LGG, HGG) else None


@dataclass(frozen=True, eq=False)
class Graded:
    """The grades of all patients, or of their scans. `truth`, `called`: bool, True is HGG; `score`: float, higher means
    HGG; `probabilities`: those of HGG that were given, none where there are only votes."""

    truth: Bools
    called: Bools
    score: Floats
    probabilities: Floats

    @staticmethod
    def of(patients: Sequence[GradedPatient]) -> "Graded":
        return Graded(
            np.array([patient.truth for patient in patients]) == HGG,
            np.array([patient.called for patient in patients]) == HGG,
            np.array([patient.score for patient in patients], dtype=np.float64),
            np.array(
                [one.votes.probability for one in patients if one.votes.probability is not None], dtype=np.float64
            ),
        )

    @property
    def one_grade(self) -> str:
        """Which grade no patient has; an empty text where there are both."""
        return "no LGG patient" if self.truth.all() else "" if self.truth.any() else "no HGG patient"


def _always(graded: Graded) -> str:
    return ""


@dataclass(frozen=True)
class GradeMetric(Metric):
    """A metric of the grades of all patients.

    `statistic`: from weights (resamples, patients), how often each was drawn, to the values (resamples,), NaN where
    there is none; None for a metric of single patients. `undefined`: why these patients have none, an empty text where
    they have. `share`: for a proportion of patients, its numerator and denominator, both bool, for Wilson's interval; a
    proportion needs no statistic. `of_patient`: its value for one patient, in the table of patients; with `of_slices`
    only where slices were asked about. `of_probabilities`: only of models that give a probability.
    """

    statistic: Callable[[Floats, Graded], Floats] | None = None
    undefined: Callable[[Graded], str] = _always
    share: Callable[[Graded], tuple[Bools, Bools]] | None = None
    of_patient: Callable[[GradedPatient], float] | None = None
    of_slices: bool = False
    of_probabilities: bool = False

    def values(self, weights: Floats, graded: Graded) -> Floats:
        """(resamples,) from weights (resamples, patients)."""
        if self.share is not None:
            part, whole = self.share(graded)
            return proportion(weights @ part, weights @ whole)
        assert self.statistic is not None
        return self.statistic(weights, graded)


def proportion(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where whole is 0."""
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def weighted_auc(weights: Floats, truth: Bools, score: Floats) -> Floats:
    """The AUC of each resample, from `weights` (resamples, patients), how often each was drawn; NaN without both
    grades.

    The proportion of (HGG, LGG) pairs in the right order, half for ties (Hanley and McNeil 1982)."""
    high, low = score[truth][:, None], score[~truth][None]
    ordered = np.where(high == low, 0.5, high > low)
    right: Floats = ((weights[:, truth] @ ordered) * weights[:, ~truth]).sum(axis=1)
    return proportion(right, weights[:, truth].sum(axis=1) * weights[:, ~truth].sum(axis=1))


def _balanced_accuracy(weights: Floats, graded: Graded) -> Floats:
    return (RECALL.values(weights, graded) + SPECIFICITY.values(weights, graded)) / 2


def _f1(weights: Floats, graded: Graded) -> Floats:
    hits: Floats = weights @ (graded.called & graded.truth)
    return proportion(2 * hits, weights @ graded.truth + weights @ graded.called)


def _right(patient: GradedPatient) -> float:
    return float(patient.called == patient.truth)


ACCURACY = GradeMetric(
    *("accuracy", "accuracy", "share", "higher"),
    share=lambda graded: (graded.called == graded.truth, np.ones_like(graded.truth)),
    of_patient=_right,
)
SLICE_ACCURACY = GradeMetric(
    *("slice_accuracy", "slice accuracy", "share", "higher"),
    of_patient=lambda patient: patient.slice_accuracy,
    of_slices=True,
)
PRECISION = GradeMetric(
    *("precision", "precision", "share", "higher"),
    share=lambda graded: (graded.truth & graded.called, graded.called),
    undefined=lambda graded: "" if graded.called.any() else "no patient called HGG",
)
RECALL = GradeMetric(
    *("recall", "recall", "share", "higher"),
    share=lambda graded: (graded.called & graded.truth, graded.truth),
    undefined=lambda graded: "" if graded.truth.any() else "no HGG patient",
)
SPECIFICITY = GradeMetric(
    *("specificity", "specificity", "share", "higher"),
    share=lambda graded: (~graded.called & ~graded.truth, ~graded.truth),
    undefined=lambda graded: "no LGG patient" if graded.truth.all() else "",
)
BALANCED_ACCURACY = GradeMetric(
    *("balanced_accuracy", "balanced accuracy", "share", "higher"),
    statistic=_balanced_accuracy,
    undefined=lambda graded: graded.one_grade,
)
F1 = GradeMetric(
    *("f1", "F1", "share", "higher"),
    statistic=_f1,
    undefined=lambda graded: "" if (graded.truth | graded.called).any() else "no HGG patient and none called HGG",
)
AUC = GradeMetric(
    *("auc", "AUC", "share", "higher"),
    statistic=lambda weights, graded: weighted_auc(weights, graded.truth, graded.score),
    undefined=lambda graded: graded.one_grade,
)
METRICS = (ACCURACY, SLICE_ACCURACY, BALANCED_ACCURACY, PRECISION, RECALL, SPECIFICITY, F1, AUC)
