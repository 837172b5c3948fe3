"""How well two areas or volumes cover each other; `docs/scoring.md` says what empty and missing ones give."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gliobench.scoring.surface import Surface, diagonal_mm, find_surface, surface_distance95_mm


@dataclass(frozen=True, eq=False)
class Area:
    """The pixels of a slice or the voxels of a volume (bool), with what is computed of them once."""

    pixels: NDArray[np.bool_]

    @cached_property
    def count(self) -> int:
        """How many pixels are in it."""
        return int(np.count_nonzero(self.pixels))

    @cached_property
    def surface(self) -> Surface:
        """Its surface pixels."""
        return find_surface(self.pixels)


def score_area(answer: Area | None, truth: Area, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    """dice, hd95_mm, precision, recall and specificity of one slice or volume; `answer` None is unanswered.

    `spacing_mm`: millimetres between neighbours along each axis. Never NaN.
    """
    if answer is None:
        distance = diagonal_mm(truth.pixels.shape, spacing_mm)
        return {"dice": 0.0, "hd95_mm": distance, "precision": 0.0, "recall": 0.0, "specificity": 0.0}
    distance = surface_distance95_mm(answer.surface, truth.surface, spacing_mm)
    return {**overlap(answer, truth), "hd95_mm": distance}


def overlap(answer: Area, truth: Area) -> dict[str, float]:
    """dice, precision, recall and specificity, by pixel, of two areas of one shape.

    dice = 2 |A and T| / (|A| + |T|); precision = |A and T| / |A|; recall = |A and T| / |T|;
    specificity = share of the pixels outside T that are outside A. Both empty: all 1. One of them empty: dice,
    precision and recall 0.
    """
    if answer.pixels.shape != truth.pixels.shape:
        raise ValueError(f"answer and truth must have one shape, got {answer.pixels.shape} and {truth.pixels.shape}")
    outside = truth.pixels.size - truth.count
    if answer.count == 0 and truth.count == 0:
        return {"dice": 1.0, "precision": 1.0, "recall": 1.0, "specificity": 1.0}
    shared = int(np.count_nonzero(answer.pixels & truth.pixels))
    false_alarms = answer.count - shared
    return {
        "dice": 2 * shared / (answer.count + truth.count),
        "precision": shared / answer.count if answer.count else 0.0,
        "recall": shared / truth.count if truth.count else 0.0,
        "specificity": 1 - false_alarms / outside if outside else 1.0,
    }
