"""Operating points, and averages over mirrored copies, members and training steps, against values by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.models.asked import subject
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gliobench.models.base.ensemble import Ensemble
from gliobench.models.base.operating_point import OperatingPoint
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.networks.inference import MIRRORS, probabilities
from gliobench.models.networks.trained import Member, TrainedNetwork
from gliobench.tasks.answer import Answered, Missing
from gliobench.tasks.geometry import Grade, VolumeMask
from gliobench.training.fit import _average


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


class Always(nn.Module):
    """The same probabilities whatever it is shown: one, or those of a row of voxels, which repeat."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.logit(torch.tensor(probabilities)))

    def forward(self, batch: Tensor) -> Tensor:
        if len(self.logits) == 1:
            return self.logits[None]
        return self.logits.repeat(1, 1, *batch.shape[2:4], batch.shape[4] // len(self.logits))


def ensemble(task: str, *members: tuple[Sequence[float], float]) -> TrainedNetwork:
    """Of members with their probabilities and their thresholds."""
    made = [
        Member(Always(*given), "z-score", False, None, (OperatingPoint(threshold),), frozenset(), str(number))
        for number, (given, threshold) in enumerate(members)
    ]
    return TrainedNetwork("ensemble", task, tuple(made), {})


def test_networks_grade_by_the_mean_of_their_probabilities_against_the_mean_of_their_thresholds() -> None:
    # The mean is 0.5: below 0.6, though two of the three are above their own thresholds.
    network = ensemble("grade", ([0.9], 0.8), ([0.35], 0.3), ([0.25], 0.7))
    (found,) = network.predict([Question(subject(), "grade", None)])
    assert found.answer == Answered(Grade(0))
    assert found.score == pytest.approx(0.5)
    assert network.threshold == pytest.approx(0.6)


def test_networks_outline_by_the_mean_of_their_probabilities() -> None:
    # Means 0.55, 0.7, 0.4 and 0.61 against a mean threshold of 0.6; the largest are 0.9, 0.8, 0.7 and 0.7.
    network = ensemble("mask", ([0.9, 0.8, 0.7, 0.7], 0.5), ([0.2, 0.6, 0.1, 0.52], 0.7))
    patient = subject()
    (found,) = network.predict([Question(patient, "mask", None)])
    assert isinstance(found.answer, Answered)
    mask = found.answer.value
    assert isinstance(mask, VolumeMask)
    expected = np.zeros(patient.shape, dtype=bool)
    expected[..., 1::2] = True
    np.testing.assert_array_equal(mask.voxels, expected)


@dataclass(frozen=True)
class Sure:
    """A model that gives every patient the same probability of HGG, or none."""

    name: str
    score: float | None
    threshold: float
    tasks = frozenset({"grade"})
    per_slice = False

    @property
    def settings(self) -> Settings:
        return {}

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        for question in questions:
            answer = Missing("none") if self.score is None else Answered(Grade(int(self.score >= self.threshold)))
            yield Prediction(question, answer, score=self.score)


def test_models_of_different_kinds_answer_by_their_mean_against_the_mean_of_their_thresholds() -> None:
    together = Ensemble("two", [Sure("one", 0.9, 0.8), Sure("other", 0.2, 0.4)])
    (found,) = together.predict([Question(subject(), "grade", None)])
    assert found.score == pytest.approx(0.55)
    assert found.answer == Answered(Grade(0)), "0.55 is below 0.6"
    (found,) = Ensemble("two", [Sure("one", 0.9, 0.8), Sure("other", None, 0.4)]).predict([found.question])
    assert (found.answer, found.score) == (Missing("1 of 2 members gave no probability"), None)


def test_averaged_weights_follow_the_first_steps_faster_than_the_later_ones() -> None:
    # After step n + 1 the average keeps (1 + n) / (10 + n) of itself, at most `decay`; the first step it takes over.
    module = nn.Linear(1, 1, bias=False)
    module.register_buffer("steps", torch.tensor(0))
    averaged = AveragedModel(module, avg_fn=_average(0.9), use_buffers=True)
    kept = [1.0, 2 / 11 * 1 + 9 / 11 * 2, 3 / 12 * (20 / 11) + 9 / 12 * 3]
    for step, expected in enumerate(kept, start=1):
        module.weight.data.fill_(step)
        module.steps.fill_(step)
        averaged.update_parameters(module)
        assert averaged.module.weight.item() == pytest.approx(expected)
        assert averaged.module.steps.item() == step, "a count is not averaged"
    averaged.n_averaged.fill_(1000)
    module.weight.data.fill_(0)
    averaged.update_parameters(module)
    assert averaged.module.weight.item() == pytest.approx(0.9 * kept[-1])
