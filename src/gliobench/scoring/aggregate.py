"""A patient's class probabilities from the slices of one plane, as an alternative to counting votes.

`mean-probability` is the mean of the slices' own probabilities. `learned` calibrates it on validation patients, and of
two classes sets the threshold (`gliobench.models.base.calibration`). A slice without a usable answer counts as the
worst possible, all for the most probable wrong class: a model cannot improve its metrics by not answering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.operating_point import ClassProbability, Floats, OperatingPoint, calibrated, class_at

AggregateName = Literal["majority", "mean-probability", "learned"]


@dataclass(frozen=True)
class Slices:
    """The combined evidence of a patient's slices: `mean` probabilities of the `said` slices, None where there is none;
    `silent` slices gave no answer."""

    mean: ClassProbability | None
    said: int
    silent: int


@dataclass(frozen=True)
class Aggregation:
    """How slices become a class. `by`: the slices' own probabilities, or their votes where a model gives none."""

    name: AggregateName
    by: Literal["scores", "votes"] = "votes"
    decision: OperatingPoint = field(default_factory=OperatingPoint)

    def probability(self, slices: Slices, truth: int | None, problem: Problem = GLIOMA) -> ClassProbability | None:
        """The patient's probabilities; None where no slice has an answer. With an unknown truth, unanswered slices are
        ignored."""
        if slices.mean is None:
            return None
        said = calibrated(slices.mean, self.decision) if self.name == "learned" else slices.mean
        if truth is None or slices.silent == 0:
            return said
        worst = _worst(said, truth, problem)
        return (slices.said * said + slices.silent * worst) / (slices.said + slices.silent)

    def call(self, probability: ClassProbability | None, problem: Problem = GLIOMA) -> int | None:
        """The class, None where there is no probability."""
        return None if probability is None else class_at(self.decision.threshold, probability, problem).value


def _worst(said: ClassProbability, truth: int, problem: Problem) -> ClassProbability:
    """All for the wrong class of two, or for the most probable of the wrong ones."""
    if not isinstance(said, np.ndarray):
        return float(truth != problem.positive_class)
    wrong = np.where(np.arange(len(said)) == truth, -1.0, said)
    worst: Floats = np.eye(len(said))[wrong.argmax()]
    return worst


MAJORITY = Aggregation("majority")
Aggregations = Mapping[tuple[str, str], Aggregation]  # by model and plane; by default the majority decides


def of_scores(scores: Sequence[ClassProbability | None]) -> Slices:
    """From the probabilities of each slice, None where it has none or no usable answer."""
    said = [score for score in scores if score is not None]
    return Slices(sum(said) / len(said) if said else None, len(said), len(scores) - len(said))


def of_votes(counts: Sequence[int], unanswered: int, problem: Problem = GLIOMA) -> Slices:
    """From counted votes: (n + 1/2) / (N + k/2) of k classes, which is never 0 or 1 (Haldane 1956, Anscombe 1956 for
    two; Jeffreys' prior for more).

    Votes that there is no target carry no information on the class and are ignored, as in GLDR.
    """
    said = sum(counts)
    if not said:
        return Slices(None, 0, unanswered)
    if len(counts) == 2:
        return Slices((counts[problem.positive_class] + 0.5) / (said + 1), said, unanswered)
    return Slices((np.array(counts) + 0.5) / (said + len(counts) / 2), said, unanswered)
