"""A patient's probability of HGG from the slices of one plane, as an alternative to counting votes.

`mean-probability` is the mean of the slices' own probabilities. `learned` calibrates its logit and sets the threshold
on validation patients (Platt 1999). A slice without a usable answer counts as the probability 1 - truth, the worst
possible: a model cannot improve its metrics by not answering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gliobench.cohort.subject import HGG, LGG
from gliobench.models.base.operating_point import OperatingPoint, calibrated
from gliobench.scoring.grades import Votes

AggregateName = Literal["majority", "mean-probability", "learned"]


@dataclass(frozen=True)
class Slices:
    """The combined evidence of a patient's slices: `mean` probability of HGG of the `said` slices, None where there is
    none; `silent` slices gave no answer."""

    mean: float | None
    said: int
    silent: int


@dataclass(frozen=True)
class Aggregation:
    """How slices become a grade. `by`: the slices' own probabilities, or their votes where a model gives none."""

    name: AggregateName
    by: Literal["scores", "votes"] = "votes"
    decision: OperatingPoint = field(default_factory=OperatingPoint)

    def probability(self, slices: Slices, truth: int | None) -> float | None:
        """The patient's probability of HGG; None where no slice has an answer. With an unknown truth, unanswered slices
        are ignored."""
        if slices.mean is None:
            return None
        said = calibrated(slices.mean, self.decision) if self.name == "learned" else slices.mean
        if truth is None or slices.silent == 0:
            return said
        return (slices.said * said + slices.silent * (1 - truth)) / (slices.said + slices.silent)

    def call(self, probability: float | None) -> int | None:
        """LGG or HGG, None where there is no probability."""
        if probability is None:
            return None
        return HGG if probability >= self.decision.threshold else LGG


MAJORITY = Aggregation("majority")
Aggregations = Mapping[tuple[str, str], Aggregation]  # by model and plane; by default the majority decides


def of_scores(scores: Sequence[float | None]) -> Slices:
    """From the probability of each slice, None where it has none or no usable answer."""
    said = [score for score in scores if score is not None]
    return Slices(sum(said) / len(said) if said else None, len(said), len(scores) - len(said))


def of_votes(votes: Votes) -> Slices:
    """From counted votes: (HGG + 1/2) / (LGG + HGG + 1), whose logit is finite (Haldane 1956, Anscombe 1956).

    Votes for no glioma carry no information on the grade and are ignored, as in GLDR.
    """
    said = sum(votes.counts)
    return Slices((votes.counts[HGG] + 0.5) / (said + 1) if said else None, said, votes.unanswered)
