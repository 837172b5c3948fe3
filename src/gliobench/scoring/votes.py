"""What was answered about a patient's class: the counts of each answer, and the class that has the most."""

from collections.abc import Iterable
from dataclasses import dataclass

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import Grade


@dataclass(frozen=True)
class Votes:
    """The counts of each answer about one patient.

    `counts`: of each class, in the order of their numbers; `none`: that there is no target. `probabilities`: of each
    class, a model's own or from its slices, or None.
    """

    counts: tuple[int, ...]
    none: int
    unanswered: int
    probabilities: tuple[float, ...] | None = None

    @property
    def asked(self) -> int:
        """All questions."""
        return sum(self.counts) + self.none + self.unanswered

    @property
    def shares(self) -> tuple[float, ...]:
        """The proportion of each class among the votes for one of them, of two grades the GLDR; NaN without any."""
        graded = sum(self.counts)
        return tuple(count / graded if graded else float("nan") for count in self.counts)


@dataclass(frozen=True)
class GradedPatient:
    """The votes about one scan of a patient with the truth; `predicted` is None where no class won. `origin`: the site
    or archive that the scan is from, None where it is not known."""

    truth: int
    predicted: int | None
    votes: Votes
    origin: str | None = None

    @property
    def scores(self) -> tuple[float, ...]:
        """Of each class, the score for its AUC: the model's own probability, else the proportion of the votes; where no
        class won 0 for the true one and 1 for the others."""
        if self.predicted is None:
            return tuple(float(number != self.truth) for number in range(len(self.votes.counts)))
        return self.votes.shares if self.votes.probabilities is None else self.votes.probabilities

    @property
    def slice_accuracy(self) -> float:
        """The proportion of the slices with the right class."""
        return self.votes.counts[self.truth] / self.votes.asked


def two_probabilities(problem: Problem, score: float) -> tuple[float, float]:
    """The probabilities of two classes from that of the positive one."""
    return (1 - score, score) if problem.positive_class else (score, 1 - score)


def count_votes(
    answers: Iterable[Answer], problem: Problem = GLIOMA, probabilities: tuple[float, ...] | None = None
) -> Votes:
    """The votes of one patient. Raises TypeError for an answer that is not a class."""
    counts = [0] * (problem.none + 1)
    unanswered = 0
    for answer in answers:
        if not isinstance(answer, Answered):
            unanswered += 1
        elif isinstance(answer.value, Grade):
            counts[answer.value.value] += 1
        else:
            raise TypeError(f"a grade is expected, got a {type(answer.value).__name__}")
    return Votes(tuple(counts[:-1]), counts[-1], unanswered, probabilities)


def most_votes(votes: Votes) -> int | None:
    """The class with the most of all counts, in a tie the lower one; None where "none" or unanswered has."""
    counts = (*votes.counts, votes.none, votes.unanswered)
    winner = counts.index(max(counts))
    return winner if winner < len(votes.counts) else None
