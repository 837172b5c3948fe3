"""Always the commonest class of the training patients."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import scored
from gliobench.models.base.operating_point import ClassProbability, class_at, of_problem
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.grade import GRADE


def majority_grade(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The commonest class of the training patients.

    In a tie the positive one of two, or the first of more; their proportions are the probabilities.
    """
    problem = train[0].problem if train else GLIOMA
    share = of_problem(_shares(train, problem)[None], problem)[0]
    grade = class_at(0.5, share, problem)
    settings = _settings(share, problem)
    return Rule("majority-grade", frozenset({GRADE.name}), False, settings, lambda question: grade, *scored(share))


def _shares(train: Sequence[PreparedSubject], problem: Problem) -> NDArray[np.float64]:
    """The proportions of the classes, (k,); all of the positive class where none is known."""
    known = [subject.grade for subject in train if subject.grade is not None] or [problem.positive_class]
    shares: NDArray[np.float64] = np.bincount(known, minlength=problem.count) / len(known)
    return shares


def _settings(share: ClassProbability, problem: Problem) -> Mapping[str, float]:
    if isinstance(share, np.ndarray):
        return {f"share_{name}": float(one) for name, one in zip(problem.classes, share, strict=True)}
    return {f"share_{problem.classes[problem.positive_class].lower()}": float(share)}
