"""A prediction of a class from probabilities: one form for two classes and one for more."""

from collections.abc import Sequence

import numpy as np

from gliobench.cohort.problem import Problem
from gliobench.models.base.operating_point import ClassProbability, Floats, class_at, of_problem
from gliobench.models.base.prediction import Prediction, Question
from gliobench.tasks.answer import Answered

ROUNDED = 1e-3  # by which given probabilities may miss a sum of 1


def classified(question: Question, probability: ClassProbability, threshold: float = 0.5) -> Prediction:
    """The class that calibrated probabilities say, with them. `threshold`: of two classes, for the positive one."""
    answer = Answered(class_at(threshold, probability, question.subject.problem))
    score, probabilities = scored(probability)
    return Prediction(question, answer, score=score, probabilities=probabilities)


def scored(probability: ClassProbability | None) -> tuple[float | None, tuple[float, ...] | None]:
    """`score` and `probabilities` of a prediction; both None where there are none."""
    if probability is None:
        return None, None
    if isinstance(probability, np.ndarray):
        return None, tuple(probability.tolist())
    return float(probability), None


def checked_probability(probabilities: Sequence[float], problem: Problem) -> ClassProbability:
    """Given probabilities of all classes, checked. Raises ValueError where they are not `k` numbers from 0 to 1 that
    sum to 1 (to 0.001, as people round)."""
    found = np.asarray(probabilities, dtype=np.float64)
    names = ", ".join(problem.classes)
    if found.shape != (problem.count,):
        raise ValueError(f"expected {problem.count} probabilities ({names}), found an array of shape {found.shape}")
    if not ((found >= 0) & (found <= 1)).all() or abs(found.sum() - 1) > ROUNDED:
        raise ValueError(f"expected probabilities from 0 to 1 that sum to 1 ({names}), found {found.tolist()}")
    one: ClassProbability = of_problem((found / found.sum())[None], problem)[0]
    return one if isinstance(one, np.ndarray) else float(one)


def of_answers(probabilities: Floats, problem: Problem) -> ClassProbability:
    """From the probabilities (k + 1,) of the answers, the last that there is no target, to those of the classes.

    Of two classes, the positive one's proportion of all answers; of more, the proportion of each among the classes,
    equal ones where all of the probability is on there being no target.
    """
    if len(problem.classes) == 2:
        return float(probabilities[problem.positive_class])
    classes = probabilities[: problem.count]
    total = classes.sum()
    shares: Floats = classes / total if total > 0 else np.full(problem.count, 1 / problem.count)
    return shares


def class_probability_of(score: float | None, probabilities: Sequence[float] | None) -> ClassProbability | None:
    """The inverse of `scored`."""
    return score if probabilities is None else np.array(probabilities)
