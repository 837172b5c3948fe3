"""From one probability to yes or no, as it was learnt on validation patients."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decision:
    """From one probability to yes or no. `threshold`: at and above it.

    `smallest_mm3`: connected parts of a mask below this volume are dropped, but for the largest. `slope` and `offset`
    are of a grade's logit, so that probabilities are what they say (Platt 1999).
    """

    threshold: float = 0.5
    smallest_mm3: float = 0.0
    slope: float = 1.0
    offset: float = 0.0


def calibrated(probability: float, decision: Decision) -> float:
    """A grade's probability after its logit was stretched and shifted."""
    clipped = float(np.clip(probability, 1e-7, 1 - 1e-7))
    logit = decision.slope * np.log(clipped / (1 - clipped)) + decision.offset
    return float(1 / (1 + np.exp(-logit)))
