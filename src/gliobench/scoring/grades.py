"""A patient's grade from the votes of the slices, and what the grades of all patients are worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.subject import HGG, LGG
from gliobench.scoring.intervals import Bootstrap, Figure, wilson
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import NO_GLIOMA, Grade


@dataclass(frozen=True)
class Votes:
    """How often each answer was given about one patient. `probability`: of HGG, a model's own or from its slices, or
    None."""

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
        """The share of HGG among the votes for LGG or HGG; NaN where there are none."""
        graded = self.lgg + self.hgg
        return self.hgg / graded if graded else float("nan")


@dataclass(frozen=True)
class GradedPatient:
    """The votes about one scan of a patient beside the truth; `predicted` is None where neither grade won."""

    truth: int
    predicted: int | None
    votes: Votes

    @property
    def called(self) -> int:
        """The grade that counts: of a patient without one, the wrong one."""
        return 1 - self.truth if self.predicted is None else self.predicted

    @property
    def score(self) -> float:
        """What the AUC orders patients by: the model's own probability of HGG, else GLDR; without a grade 1 - truth."""
        if self.predicted is None:
            return float(1 - self.truth)
        return self.votes.gldr if self.votes.probability is None else self.votes.probability

    @property
    def slice_accuracy(self) -> float:
        """The share of the slices with the right grade."""
        return (self.votes.hgg if self.truth == HGG else self.votes.lgg) / self.votes.asked


def count_votes(answers: Iterable[Answer], probability: float | None) -> Votes:
    """The votes of one patient. Raises TypeError for an answer that is no grade."""
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
    """LGG or HGG where it has the most of the four counts, a tie to the lower class; None where another has."""
    counts = (votes.lgg, votes.hgg, votes.no_glioma, votes.unanswered)
    winner = counts.index(max(counts))
    return winner if winner in (LGG, HGG) else None


def grade_figures(
    patients: Sequence[GradedPatient], bootstrap: Bootstrap, whose: Sequence[str] = ()
) -> dict[str, Figure]:
    """accuracy, balanced_accuracy, precision, recall, specificity, f1 and auc over patients; positive is HGG.

    `whose`: where these are scans, the patient of each, so that every patient weighs the same and is drawn whole;
    empty: each is another's. Shares of patients have Wilson intervals where each has one scan, all else a bootstrap
    over patients.
    """
    whose = whose or list(map(str, range(len(patients))))
    truth = np.array([patient.truth for patient in patients]) == HGG
    called = np.array([patient.called for patient in patients]) == HGG
    score = np.array([patient.score for patient in patients])
    no_hgg = "no HGG patient" if not truth.any() else ""
    no_lgg = "no LGG patient" if truth.all() else ""

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = (
            _balanced_accuracy(weights, truth, called),
            _f1(weights, truth, called),
            weighted_auc(weights, truth, score),
        )
        return np.stack(columns, axis=1)

    balanced, f1, auc = bootstrap.figures_of_scans(statistic, whose)
    shares = _shares(truth, called, bootstrap, whose)
    return {
        "accuracy": shares["accuracy"],
        "balanced_accuracy": balanced.unless(no_hgg or no_lgg),
        "precision": shares["precision"],
        "recall": shares["recall"],
        "specificity": shares["specificity"],
        "f1": f1.unless("no HGG patient and none called HGG" if no_hgg and not called.any() else ""),
        "auc": auc.unless(no_hgg or no_lgg),
    }


def _shares(
    truth: NDArray[np.bool_], called: NDArray[np.bool_], bootstrap: Bootstrap, whose: Sequence[str]
) -> dict[str, Figure]:
    """The figures that are shares of patients of one kind, or of their scans."""
    right = called == truth
    parts = {  # which are right, of which, and why where there are none
        "accuracy": (right, np.ones_like(truth), ""),
        "precision": (right & called, called, "no patient called HGG"),
        "recall": (right & truth, truth, "no HGG patient"),
        "specificity": (right & ~truth, ~truth, "no LGG patient"),
    }
    reasons = {name: "" if whole.any() else reason for name, (_, whole, reason) in parts.items()}
    if len(set(whose)) == len(whose):
        counts = {name: (int(part.sum()), int(whole.sum())) for name, (part, whole, _) in parts.items()}
        return {name: wilson(*counts[name], len(truth), reason) for name, reason in reasons.items()}

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([_share(weights @ part, weights @ whole) for part, whole, _ in parts.values()], axis=1)

    figures = bootstrap.figures_of_scans(statistic, whose)
    return {name: figure.unless(reasons[name]) for name, figure in zip(parts, figures, strict=True)}


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part / whole, NaN where there is no whole."""
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _balanced_accuracy(
    weights: NDArray[np.float64], truth: NDArray[np.bool_], called: NDArray[np.bool_]
) -> NDArray[np.float64]:
    recall = _share(weights @ (called & truth), weights @ truth)
    specificity = _share(weights @ (~called & ~truth), weights @ ~truth)
    return (recall + specificity) / 2


def _f1(weights: NDArray[np.float64], truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> NDArray[np.float64]:
    hits: NDArray[np.float64] = weights @ (called & truth)
    return _share(2 * hits, weights @ truth + weights @ called)


def weighted_auc(
    weights: NDArray[np.float64], truth: NDArray[np.bool_], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The AUC of each resample, from `weights` (resamples, patients), how often each was drawn; NaN without a class.

    The share of (HGG, LGG) pairs in the right order, half for ties (Hanley and McNeil 1982)."""
    high, low = score[truth][:, None], score[~truth][None]
    ordered = np.where(high == low, 0.5, high > low)
    right: NDArray[np.float64] = ((weights[:, truth] @ ordered) * weights[:, ~truth]).sum(axis=1)
    return _share(right, weights[:, truth].sum(axis=1) * weights[:, ~truth].sum(axis=1))
