"""The classes of all patients, with what a model says of them: what metrics of classes are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.scoring.votes import GradedPatient

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Graded:
    """The classes of all patients, or of their scans.

    `problem`: its classes. `truths`, `calls`: (scans,) int, the number of the class; where none was called
    `problem.none`. `scores`: (scans, classes) float, higher means this class. `given`: (models' answers, classes) the
    probabilities that were given, none where there are only votes.

    `truth`, `called`, `score`, `probabilities`: the same of the positive class against the others. There a patient
    without a call counts as wrong. `origins`: (scans,) the site or archive of each, None where it is not known; empty
    where nobody asks.
    """

    problem: Problem
    truths: Ints
    calls: Ints
    scores: Floats
    given: Floats
    origins: tuple[str | None, ...] = ()

    @staticmethod
    def of(patients: Sequence[GradedPatient], problem: Problem = GLIOMA) -> "Graded":
        count, given = (
            problem.count,
            [one.votes.probabilities for one in patients if one.votes.probabilities is not None],
        )
        return Graded(
            problem,
            np.array([patient.truth for patient in patients], dtype=np.intp),
            np.array([problem.none if one.predicted is None else one.predicted for one in patients], dtype=np.intp),
            np.array([patient.scores for patient in patients], dtype=np.float64).reshape(-1, count),
            np.array(given, dtype=np.float64).reshape(-1, count),
            tuple(patient.origin for patient in patients),
        )

    @cached_property
    def truth(self) -> Bools:
        """(scans,) whether each has the positive class."""
        return np.asarray(self.truths == self.problem.positive_class)

    @cached_property
    def called(self) -> Bools:
        """(scans,) whether each was called positive; without a call the opposite of the truth."""
        return np.where(self.calls == self.problem.none, ~self.truth, self.calls == self.problem.positive_class)

    @cached_property
    def score(self) -> Floats:
        """(scans,) the scores of the positive class."""
        scores: Floats = self.scores[:, self.problem.positive_class]
        return scores

    @property
    def probabilities(self) -> Floats:
        """The given probabilities of the positive class."""
        given: Floats = self.given[:, self.problem.positive_class]
        return given

    @property
    def several_origins(self) -> bool:
        """Whether the scans are known to be from more than one site or archive."""
        return len({*self.origins} - {None}) > 1

    @cached_property
    def mixed_origins(self) -> list[Bools]:
        """(scans,) for each site or archive with patients of the positive class and others, which scans are its own."""
        own = [np.array([one == name for one in self.origins]) for name in sorted({*filter(None, self.origins)})]
        return [scans for scans in own if len(set(self.truth[scans].tolist())) == 2]

    @property
    def absent(self) -> str:
        """Which class no patient has; an empty text where there are all."""
        names = [name for number, name in enumerate(self.problem.classes) if not (self.truths == number).any()]
        return f"no {names[0]} patient" if names else ""

    @property
    def no_positive(self) -> str:
        """That no patient has the positive class; an empty text where one has."""
        return "" if self.truth.any() else f"no {self.positive} patient"

    @property
    def no_negative(self) -> str:
        """That all patients have the positive class; an empty text where one has not."""
        if not self.truth.all():
            return ""
        others = [name for name in self.problem.classes if name != self.positive]
        return f"no {others[0]} patient" if len(others) == 1 else f"every patient is {self.positive}"

    @property
    def one_grade(self) -> str:
        """Which side no patient is on, the positive class or the others; an empty text where there are both."""
        return self.no_negative or self.no_positive

    @property
    def positive(self) -> str:
        """The name of the positive class."""
        return self.problem.classes[self.problem.positive_class]
