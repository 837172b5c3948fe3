"""From a probability to a decision, as estimated on validation patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.subject import HGG, LGG
from gliobench.tasks.geometry import Grade

CLIP = 1e-7  # so that the logit of 0 and of 1 is finite


@dataclass(frozen=True)
class OperatingPoint:
    """From a probability to a decision: positive at and above `threshold`.

    `smallest_mm3`: connected components of a mask below this volume are dropped, except the largest. `slope` and
    `offset` calibrate a grade's logit (Platt 1999).
    """

    threshold: float = 0.5
    smallest_mm3: float = 0.0
    slope: float = 1.0
    offset: float = 0.0


def calibrated(probability: float, decision: OperatingPoint) -> float:
    """A grade's calibrated probability: slope and offset applied to its logit."""
    return float(1 / (1 + np.exp(-decision.slope * logit(np.float64(probability)) - decision.offset)))


def grade_at(threshold: float, probability: float) -> Grade:
    """HGG at and above the threshold."""
    return Grade(HGG if probability >= threshold else LGG)


def logit(probability: np.float64 | NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the odds, of probabilities clipped to 10⁻⁷ from 0 and 1; same shape."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    odds: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return odds
