"""From a probability to a decision, as estimated on validation patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import Problem
from gliobench.tasks.geometry import Grade

CLIP = 1e-7  # so that the logit of 0 and of 1 is finite

Floats = NDArray[np.float64]
ClassProbability = float | Floats
"""The probability of a problem's positive class where it has two; the probability of each, (k,), where it has more."""


@dataclass(frozen=True)
class OperatingPoint:
    """From a probability to a decision: positive at and above `threshold`; of more than two classes the most probable.

    `smallest_mm3`: connected components of a mask below this volume are dropped, except the largest. `slope` and
    `offset` calibrate the logit of a class (Platt 1999); of more than two classes `slope` is the inverse of the
    temperature (Guo 2017).
    """

    threshold: float = 0.5
    smallest_mm3: float = 0.0
    slope: float = 1.0
    offset: float = 0.0


def calibrated(probability: ClassProbability, decision: OperatingPoint) -> ClassProbability:
    """Calibrated probabilities: slope and offset applied to the logit of one, the temperature to those of several."""
    if isinstance(probability, np.ndarray):
        return tempered(probability, decision.slope)
    return float(1 / (1 + np.exp(-decision.slope * logit(np.float64(probability)) - decision.offset)))


def tempered(probabilities: Floats, slope: float) -> Floats:
    """Probabilities (…, k) to the power of `slope`, the inverse of a temperature, summing to 1 again."""
    logits = slope * log_probabilities(probabilities)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scaled: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return scaled


def of_problem(probabilities: Floats, problem: Problem) -> Floats:
    """Of the probabilities of all classes (patients, k), what is calibrated and recorded: of two classes the positive
    one's, (patients,), else all of them."""
    if len(problem.classes) == 2:
        return probabilities[:, problem.positive_class]
    precise = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(precise / precise.sum(axis=1, keepdims=True))


def class_at(threshold: float, probability: ClassProbability, problem: Problem) -> Grade:
    """Of two classes the positive one at and above the threshold; of more the most probable, in a tie the first."""
    if isinstance(probability, np.ndarray):
        return Grade(int(probability.argmax()))
    positive = problem.positive_class
    return Grade(positive if probability >= threshold else 1 - positive)


def log_probabilities(probabilities: Floats) -> Floats:
    """Natural logarithms of probabilities, at least 10⁻⁷ each; same shape."""
    logarithms: Floats = np.log(np.maximum(probabilities, CLIP))
    return logarithms


def logit(probability: np.float64 | Floats) -> Floats:
    """The logarithm of the odds, of probabilities clipped to 10⁻⁷ from 0 and 1; same shape."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds
