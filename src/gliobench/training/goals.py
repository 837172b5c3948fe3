"""What a network of a task is trained for: its loss, its validation metric, and its threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from gliobench.grid.prepared import PreparedSubject

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True)
class Goal:
    """`target(subject)`: what the network should say, float32. `loss(logits, targets)`: a scalar, over a batch.

    `judge(logits, targets)`: from all validation patients to (metric, threshold); a larger metric is better.
    """

    target: Callable[[PreparedSubject], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    judge: Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[float, float]]


def _grade(subject: PreparedSubject) -> Tensor:
    if subject.grade is None:
        raise ValueError(f"{subject.id} has no grade to learn from")
    return torch.tensor(float(subject.grade))


def _tumour(subject: PreparedSubject) -> Tensor:
    return torch.from_numpy(subject.tumour).float()


def _soft_dice(logits: Tensor, targets: Tensor) -> Tensor:
    loss: Tensor = DiceLoss(sigmoid=True)(logits[:, None], targets[:, None])
    return loss


def _judge_grades(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[float, float]:
    """Minus the cross-entropy: the few validation patients rank too coarsely for anything else. Threshold 0.5."""
    loss = functional.binary_cross_entropy_with_logits(torch.stack(list(logits)), torch.stack(list(targets)))
    return -loss.item(), 0.5


def _judge_masks(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> tuple[float, float]:
    """Mean Dice over patients at the threshold where it is best, and that threshold."""
    dice = np.mean([_dice_by_threshold(*pair) for pair in zip(logits, targets, strict=True)], axis=0)
    best = int(np.argmax(dice))
    return float(dice[best]), THRESHOLDS[best]


def _dice_by_threshold(logits: Tensor, target: Tensor) -> list[float]:
    """Dice at each of `THRESHOLDS`, from one histogram of the probabilities instead of a pass for each."""
    edges = torch.tensor(THRESHOLDS, device=logits.device)
    bins = torch.bucketize(torch.sigmoid(logits).flatten(), edges, right=True)
    count = len(THRESHOLDS) + 1
    marked = torch.bincount(bins, minlength=count).double().flip(0).cumsum(0).flip(0)[1:]
    hits = torch.bincount(bins[target.flatten() > 0], minlength=count).double().flip(0).cumsum(0).flip(0)[1:]
    dice: list[float] = (2 * hits / (marked + target.sum().double()).clamp_min(1)).tolist()
    return dice


GOALS = {
    "grade": Goal(_grade, functional.binary_cross_entropy_with_logits, _judge_grades),
    "mask": Goal(_tumour, _soft_dice, _judge_masks),
}
