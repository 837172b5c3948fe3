"""The objective of a network by task: its loss and its validation metric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import RegionName
from gliobench.tasks.grade import GRADE
from gliobench.training.settings import TrainSettings

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
HEAD_WEIGHT = 0.5  # of each coarser head of deep supervision relative to the one before it, as in nnU-Net


@dataclass(frozen=True)
class Objective:
    """`target(subject)`: the network's target, float32: (1,), (k,) or (R, D, H, W).

    `loss(logits, targets)`: a scalar, over a batch. `judge(logits, targets)`: the validation metric over all validation
    patients, each without the batch axis; larger is better. `score(logits, targets)`: the score for the curves, the
    mean over a batch's patients (and regions) at probability 0.5; `score_name` is its name.
    """

    target: Callable[[PreparedSubject], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    judge: Callable[[Sequence[Tensor], Sequence[Tensor]], float]
    score: Callable[[Tensor, Tensor], float]
    score_name: Literal["accuracy", "dice"]


def make_objective(
    task: str, regions: Sequence[RegionName], settings: TrainSettings, problem: Problem = GLIOMA
) -> Objective:
    """The objective of a network for `task`; `regions` are the regions of a mask, `problem` has the classes."""
    if task == GRADE.name:
        return _of_classes(problem)
    loss = {"dice": _soft_dice, "dice-bce": _soft_dice_and_cross_entropy}[settings.loss]

    def target(subject: PreparedSubject) -> Tensor:
        return torch.stack([torch.from_numpy(subject.part(region)).float() for region in regions])

    thresholds = THRESHOLDS if settings.threshold is None else (settings.threshold,)
    judge = partial(_evaluate_masks, thresholds=thresholds)
    return Objective(target, lambda logits, targets: _over_heads(loss, logits, targets), judge, dice, "dice")


def _of_classes(problem: Problem) -> Objective:
    """Cross-entropy: of the positive class of two, by one logit, or of more classes, by one logit each."""
    two = len(problem.classes) == 2
    loss = functional.binary_cross_entropy_with_logits if two else functional.cross_entropy

    def target(subject: PreparedSubject) -> Tensor:
        if subject.grade is None:
            raise ValueError(f"{subject.id} has no {problem.asked} to train on")
        if two:
            return torch.tensor([float(subject.grade == problem.positive_class)])
        return functional.one_hot(torch.tensor(subject.grade), len(problem.classes)).float()

    def judge(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
        """Minus the cross-entropy: with few validation patients, accuracy and AUC are too coarse."""
        return -loss(torch.stack(list(logits)), torch.stack(list(targets))).item()

    return Objective(target, loss, judge, accuracy if two else accuracy_of_several, "accuracy")


def _soft_dice(logits: Tensor, targets: Tensor) -> Tensor:
    loss: Tensor = DiceLoss(sigmoid=True)(logits, targets)
    return loss


def _soft_dice_and_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return _soft_dice(logits, targets) + functional.binary_cross_entropy_with_logits(logits, targets)


def _over_heads(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor) -> Tensor:
    """The loss, or with deep supervision (an axis of heads after the batch) the weighted mean over the heads."""
    if logits.ndim == targets.ndim:
        return loss(logits, targets)
    heads = logits.unbind(1)
    weights = [HEAD_WEIGHT**place for place in range(len(heads))]
    losses = torch.stack([weight * loss(head, targets) for weight, head in zip(weights, heads, strict=True)])
    return losses.sum() / sum(weights)


def accuracy(logits: Tensor, targets: Tensor) -> float:
    """The proportion of right classes of two at probability 0.5; both (N, 1)."""
    return ((logits >= 0) == (targets > 0)).float().mean().item()


def accuracy_of_several(logits: Tensor, targets: Tensor) -> float:
    """The proportion of right classes, the most probable being the answer; both (N, k), `targets` one-hot."""
    return (logits.argmax(1) == targets.argmax(1)).float().mean().item()


def dice(logits: Tensor, targets: Tensor) -> float:
    """Mean Dice at probability 0.5 over patients and regions, 1 where truth and answer are both empty.

    `targets` (N, R, D, H, W); `logits` the same, or with an axis of heads after N, of which the first, finest counts.
    """
    finest = logits if logits.ndim == targets.ndim else logits[:, 0]
    found, truth = finest >= 0, targets > 0
    hits = (found & truth).sum(dim=(2, 3, 4)).double()
    total = found.sum(dim=(2, 3, 4)).double() + truth.sum(dim=(2, 3, 4)).double()
    return torch.where(total > 0, 2 * hits / total.clamp_min(1), 1.0).mean().item()


def _evaluate_masks(logits: Sequence[Tensor], targets: Sequence[Tensor], thresholds: Sequence[float]) -> float:
    """Mean Dice over patients and regions, at the best threshold."""
    regions = zip(torch.cat(list(logits)), torch.cat(list(targets)), strict=True)
    return float(torch.tensor([dice_by_threshold(*region, thresholds) for region in regions]).mean(dim=0).max())


def dice_by_threshold(logits: Tensor, target: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> list[float]:
    """Dice at each of the ascending thresholds, from one histogram of the probabilities instead of a pass for each.

    Both of one shape. Where truth and answer are empty: 1.
    """
    edges = torch.tensor(thresholds, device=logits.device)
    bins = torch.bucketize(torch.sigmoid(logits).flatten(), edges, right=True)
    count = len(thresholds) + 1
    marked = torch.bincount(bins, minlength=count).double().flip(0).cumsum(0).flip(0)[1:]
    hits = torch.bincount(bins[target.flatten() > 0], minlength=count).double().flip(0).cumsum(0).flip(0)[1:]
    total = marked + target.sum().double()
    dice: list[float] = torch.where(total > 0, 2 * hits / total.clamp_min(1), 1.0).tolist()
    return dice
