"""Train a 3D network with Lightning Fabric, so that a killed training ends as if it had never been killed.

What an epoch does depends on the weights, the optimiser's moments, the seed and the epoch's number alone; the first
two are in the checkpoint. The best epoch and the threshold are chosen on validation patients.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import oversample
from gliobench.models.networks import NETWORKS, as_input
from gliobench.models.trained import DESCRIPTION, WEIGHTS
from gliobench.training.checkpoint import Progress, load_progress, save_progress, save_tensors
from gliobench.training.goals import GOALS, Goal
from gliobench.training.memory import keep_memory
from gliobench.training.settings import EpochReport, TrainSettings

__all__ = ["EpochReport", "TrainSettings", "fit_network"]

LAST = "last.safetensors"
CURVES = "curves.csv"


def fit_network(
    name: str,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    out: Path,
    settings: TrainSettings,
    progress: Callable[[EpochReport], None] | None = None,
) -> Path:
    """Train network `name` and leave its best weights, its description and its curves in `out`; returns `out`.

    Called again after an interruption it goes on from the last finished epoch, with the same result.
    Raises ValueError where a patient is in both lists, or a list is empty.
    """
    _check(train, validation)
    out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    fabric = Fabric(accelerator="auto" if settings.device == "auto" else settings.device, devices=1)
    fabric.seed_everything(settings.seed, verbose=False)
    goal = GOALS[NETWORKS[name].task]
    module, optimiser = _set_up(fabric, name, train[0].shape, settings)
    state = load_progress(out / LAST, module, optimiser, _inputs(name, train, validation, settings))
    for report in state.history:
        if progress:
            progress(report)
    while not _finished(state, settings):
        state = _epoch(fabric, module, optimiser, goal, train, validation, settings, state, out)
        if progress:
            progress(state.history[-1])
    _describe(out, name, train[0].shape, settings, state)
    (out / LAST).unlink(missing_ok=True)
    return out


def _set_up(fabric: Fabric, name: str, shape: tuple[int, int, int], settings: TrainSettings) -> tuple[Any, Any]:
    """The network in channels-last order, some 1.9 times faster on a CPU, and its optimiser."""
    module = NETWORKS[name].build(shape).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(module.parameters(), lr=settings.learning_rate, fused=True)
    module, optimiser = fabric.setup(module, optimiser)
    return module, optimiser


def _epoch(
    fabric: Fabric,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    goal: Goal,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    settings: TrainSettings,
    state: Progress,
    out: Path,
) -> Progress:
    """One epoch, its judgement, and the files that make it count."""
    start, number = perf_counter(), len(state.history)
    module.train()
    losses = []
    for images, targets in _batches(train, goal, settings, number):
        loss = goal.loss(module(fabric.to_device(images)), fabric.to_device(targets))
        optimiser.zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    validation_loss, metric, threshold = _validate(fabric, module, goal, validation)
    report = EpochReport(
        number, settings.epochs, float(np.mean(losses)), validation_loss, metric, perf_counter() - start
    )
    better = metric > state.best_metric
    state = replace(state, history=(*state.history, report))
    if better:
        state = replace(state, best_epoch=number, threshold=threshold)
        save_tensors(dict(module.state_dict()), out / WEIGHTS)
    save_progress(out / LAST, module, optimiser, state)
    _write_curves(out / CURVES, state)
    return state


def _batches(
    subjects: Sequence[PreparedSubject], goal: Goal, settings: TrainSettings, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The training patients in this epoch's order, each turned left to right or not; (N, 4, D, H, W) and targets."""
    random = np.random.default_rng([settings.seed, epoch])
    by_id = {subject.id: subject for subject in subjects}
    ids = list(by_id)
    if settings.oversample:
        ids = oversample(ids, {id: subject.grade for id, subject in by_id.items()}, seed=settings.seed + epoch)
    order = [by_id[ids[place]] for place in random.permutation(len(ids))]
    for first in range(0, len(order), settings.batch_size):
        pairs = [_example(subject, goal, bool(random.integers(2))) for subject in order[first:][: settings.batch_size]]
        images, targets = (torch.stack(part) for part in zip(*pairs, strict=True))
        yield images.contiguous(memory_format=torch.channels_last_3d), targets


def _example(subject: PreparedSubject, goal: Goal, flip: bool) -> tuple[Tensor, Tensor]:
    image, target = as_input(subject.image), goal.target(subject)
    if flip:
        image, target = image.flip(-1), target.flip(-1) if target.ndim else target
    return image, target


@torch.inference_mode()
def _validate(
    fabric: Fabric, module: nn.Module, goal: Goal, subjects: Sequence[PreparedSubject]
) -> tuple[float, float, float]:
    """Mean loss over the validation patients, the metric, and the threshold that goes with it."""
    module.eval()
    targets = [fabric.to_device(goal.target(subject)) for subject in subjects]
    inputs = (as_input(subject.image)[None].contiguous(memory_format=torch.channels_last_3d) for subject in subjects)
    logits = [module(fabric.to_device(image))[0] for image in inputs]
    losses = [goal.loss(one[None], target[None]).item() for one, target in zip(logits, targets, strict=True)]
    return float(np.mean(losses)), *goal.judge(logits, targets)


def _finished(state: Progress, settings: TrainSettings) -> bool:
    epochs = len(state.history)
    return epochs >= settings.epochs or (epochs > 0 and epochs - 1 - state.best_epoch >= settings.patience)


def _inputs(
    name: str, train: Sequence[PreparedSubject], validation: Sequence[PreparedSubject], settings: TrainSettings
) -> str:
    content = [name, asdict(settings), [s.content for s in train], [s.content for s in validation]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _describe(out: Path, name: str, shape: tuple[int, int, int], settings: TrainSettings, state: Progress) -> None:
    description = {
        "network": name,
        "shape": shape,
        "threshold": state.threshold,
        "best_epoch": state.best_epoch,
        "validation_metric": state.best_metric,
        "epochs_trained": len(state.history),
        "settings": asdict(settings),
    }
    partial = out / f".{DESCRIPTION}.partial"
    partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    partial.replace(out / DESCRIPTION)


def _write_curves(path: Path, state: Progress) -> None:
    lines = ["epoch,train_loss,validation_loss,validation_metric"]
    lines += [f"{r.epoch},{r.train_loss!r},{r.validation_loss!r},{r.validation_metric!r}" for r in state.history]
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(path)


def _check(train: Sequence[PreparedSubject], validation: Sequence[PreparedSubject]) -> None:
    if not train or not validation:
        raise ValueError(f"{len(train)} patients to train and {len(validation)} to validate on: both need at least one")
    if both := {subject.id for subject in train} & {subject.id for subject in validation}:
        raise ValueError(f"{', '.join(sorted(both))}: in training and in validation")
