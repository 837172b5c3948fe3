"""Operating points and averaging over mirrored copies, against values worked out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gliobench.models.classical.calibration import best_threshold
from gliobench.models.decision import Decision
from gliobench.models.inference import MIRRORS, probabilities
from gliobench.training.decisions import decide_grades


def test_a_classical_threshold_is_the_best_by_balanced_accuracy_and_not_by_accuracy() -> None:
    # From 0.41 on 8 of 9 HGG are right and the LGG is not: accuracy 0.8, balanced 0.44. From 0.65 on 5 of 9 HGG and the
    # LGG are: accuracy 0.6, balanced 0.78.
    probability = np.array([0.3, 0.52, 0.54, 0.56, 0.7, 0.75, 0.8, 0.85, 0.9, 0.6])
    grades = np.array([1] * 9 + [0])
    assert best_threshold(probability, grades) == pytest.approx(0.65)


def test_a_networks_scores_that_order_patients_the_wrong_way_round_are_not_turned_over() -> None:
    # The surer of HGG, the more often LGG: Platt's slope is below 0, and the scores stay as they are.
    probability = np.array([0.9, 0.8, 0.85, 0.7, 0.75, 0.95, 0.2, 0.3, 0.1, 0.25, 0.15, 0.35])
    truth = np.array([False] * 6 + [True] * 6)
    assert decide_grades(probability, truth) == Decision()
    right = decide_grades(1 - probability, truth)
    assert right.slope > 0


class FirstColumn(nn.Module):
    """Logit 2 where the image's first modality is 1 in the left half of the grid, -2 elsewhere: it looks at places."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Tensor) -> Tensor:
        left = torch.zeros_like(batch[:, :1])
        left[..., : batch.shape[-1] // 2] = 1
        return torch.where((batch[:, :1] > 0) & (left > 0), 2.0, -2.0)


def test_mirrored_copies_are_turned_back_and_averaged() -> None:
    image = torch.zeros(4, 2, 2, 4)
    image[0, 0, 0, 0] = 1  # on the left: found as it lies, and missed in the four copies that bring it to the right
    image[0, 1, 1, 3] = 1  # on the right: found in those four alone
    found = probabilities(FirstColumn(), image, mirror=True, window=None)
    high, low = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))
    expected = torch.full((1, 2, 2, 4), float(low))
    expected[0, 0, 0, 0] = expected[0, 1, 1, 3] = float((high + low) / 2)
    torch.testing.assert_close(found, expected)
    assert len(MIRRORS) == 8
