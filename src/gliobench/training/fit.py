"""Train a 3D network with Lightning Fabric, so that a killed training ends as if it had never been killed.

What an epoch does depends on the weights, their running average, the optimiser's moments, the seed and the epoch's
number alone; the first three are in the checkpoint. Epoch, threshold, smallest part and calibration are chosen on
validation patients.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import balanced_order
from gliobench.models.inference import Decision, probabilities, raw_logits
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.input import as_input
from gliobench.models.trained import DESCRIPTION, WEIGHTS, read_description
from gliobench.models.weights import file_digest, own_tensors, restore
from gliobench.tasks.regions import REGION_SETS
from gliobench.training.augment import augmented, cut_patch
from gliobench.training.checkpoint import Progress, load_progress, save_progress, save_tensors
from gliobench.training.decisions import decide_grades, decide_region
from gliobench.training.goals import Goal, make_goal
from gliobench.training.memory import keep_memory
from gliobench.training.schedule import learning_rate
from gliobench.training.settings import EpochReport, TrainSettings

__all__ = ["EpochReport", "TrainSettings", "fit_network"]

LAST = "last.safetensors"
CURVES = "curves.csv"
SMALLEST_BFLOAT16_SIDE = 32


@dataclass(frozen=True)
class _Job:
    """One training: who learns what from whom, and where it is left."""

    network: str
    regions: str
    train: Sequence[PreparedSubject]
    validation: Sequence[PreparedSubject]
    out: Path
    settings: TrainSettings
    goal: Goal
    start: Path | None

    @property
    def window(self) -> tuple[int, int, int] | None:
        return self.settings.patch


@dataclass(frozen=True)
class _Learner:
    """The network as Fabric runs it, its running average, which is judged and kept, and its optimiser."""

    fabric: Fabric
    module: Any
    averaged: AveragedModel
    optimiser: Any

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"module": self.module, "averaged": self.averaged}


def fit_network(
    name: str,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    out: Path,
    settings: TrainSettings,
    progress: Callable[[EpochReport], None] | None = None,
    regions: str = "whole",
    start: Path | None = None,
) -> Path:
    """Train network `name` and leave its best weights, its description and its curves in `out`; returns `out`.

    `regions`: which parts of a mask, a key of `gliobench.tasks.regions.REGION_SETS`. `start`: the folder of a trained
    network of the same kind whose weights come first; whom it learnt from counts as learnt from here too.
    Called again after an interruption it goes on from the last finished epoch, with the same result.
    Raises ValueError where a patient is in both lists, or a list is empty, or `start` is of another kind.
    """
    _check(train, validation)
    out.mkdir(parents=True, exist_ok=True)
    goal = make_goal(NETWORKS[name].task, REGION_SETS[regions], settings)
    job = _Job(name, regions, train, validation, out, settings, goal, start)
    keep_memory()
    for package in ("fabric", "pytorch"):
        logging.getLogger(f"lightning.{package}.utilities.rank_zero").setLevel(logging.ERROR)
    learner = _set_up(job)
    state = load_progress(out / LAST, learner.parts, learner.optimiser, _inputs(job))
    for report in state.history:
        if progress:
            progress(report)
    while not _finished(state, settings):
        state = _epoch(job, learner, state)
        if progress:
            progress(state.history[-1])
    _describe(job, state, _decide(job, learner))
    (out / LAST).unlink(missing_ok=True)
    return out


def _set_up(job: _Job) -> _Learner:
    """The network in channels-last order, some 1.9 times faster on a CPU, with its average and its optimiser."""
    settings = job.settings
    accelerator = "auto" if settings.device == "auto" else settings.device
    fabric = Fabric(accelerator=accelerator, devices=1, precision=_precision(job))
    fabric.seed_everything(settings.seed, verbose=False)
    outputs = len(REGION_SETS[job.regions]) if NETWORKS[job.network].task == "mask" else 1
    module = NETWORKS[job.network].build(job.train[0].shape, outputs)
    if job.start is not None:
        restore(module, load_file(job.start / WEIGHTS))
    module = module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    module, optimiser = fabric.setup(module, optimiser)
    averaged = AveragedModel(module.module, avg_fn=_average(settings.ema), use_buffers=True)
    return _Learner(fabric, module, averaged, optimiser)


def _precision(job: _Job) -> Any:
    """bfloat16 where it is wanted, or where the hardware multiplies it and nothing else is wanted."""
    if job.settings.precision != "auto":
        return {"float32": "32-true", "bfloat16": "bf16-mixed"}[job.settings.precision]
    if torch.cuda.is_available() and job.settings.device in ("auto", "cuda"):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    # oneDNN (torch 2.13) reads memory that was never written in the bfloat16 weight gradient of a 3D convolution over
    # two voxels a side: gradients differ from run to run, or are infinite. Classifiers shrink a volume that far.
    shrunk = NETWORKS[job.network].task == "grade" or min(job.train[0].shape) <= SMALLEST_BFLOAT16_SIDE
    return "bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() and not shrunk else "32-true"


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential running average that is quicker at first, or with decay 0 the weights themselves."""

    def average(before: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        share = min(decay, (1 + int(count)) / (10 + int(count)))
        return before * share + now * (1 - share) if before.is_floating_point() else now

    return average


def _epoch(job: _Job, learner: _Learner, state: Progress) -> Progress:
    """One epoch, its judgement, and the files that make it count."""
    start, number, settings = perf_counter(), len(state.history), job.settings
    losses, rate = _learn(job, learner, number)
    due = (number + 1) % settings.validate_every == 0 or number + 1 == settings.epochs
    validation_loss, metric = _validate(job, learner) if due else _last_judgement(state)
    report = EpochReport(
        number, settings.epochs, float(np.mean(losses)), validation_loss, metric, rate, perf_counter() - start
    )
    better = due and metric > state.best_metric
    state = replace(state, history=(*state.history, report))
    if better:
        state = replace(state, best_epoch=number)
        save_tensors(own_tensors(learner.averaged.module), job.out / WEIGHTS)
    save_progress(job.out / LAST, learner.parts, learner.optimiser, state)
    _write_curves(job.out / CURVES, state)
    return state


def _learn(job: _Job, learner: _Learner, epoch: int) -> tuple[list[float], float]:
    """The losses of an epoch's steps, and the learning rate of the last."""
    settings, fabric = job.settings, learner.fabric
    learner.module.train()
    steps = -(-len(job.train) // settings.batch_size)
    losses, rate = [], 0.0
    for step, (images, targets) in enumerate(_batches(job, epoch)):
        rate = learning_rate(settings, epoch * steps + step, steps)
        for group in learner.optimiser.param_groups:
            group["lr"] = rate
        with fabric.autocast():
            logits = learner.module(fabric.to_device(images))
        loss = job.goal.loss(logits.float(), fabric.to_device(targets))
        learner.optimiser.zero_grad(set_to_none=True)
        fabric.backward(loss)
        if settings.clip_norm:
            fabric.clip_gradients(learner.module, learner.optimiser, max_norm=settings.clip_norm)
        learner.optimiser.step()
        learner.averaged.update_parameters(learner.module.module)
        losses.append(loss.item())
    return losses, rate


def _batches(job: _Job, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The training patients in this epoch's order: (N, 4, D, H, W) and targets."""
    settings = job.settings
    random = np.random.default_rng([settings.seed, epoch])
    by_id = {subject.id: subject for subject in job.train}
    ids = list(by_id)
    if settings.balance_grades:
        ids = balanced_order(ids, {id: subject.grade for id, subject in by_id.items()}, random)
    else:
        ids = [ids[place] for place in random.permutation(len(ids))]
    for first in range(0, len(ids), settings.batch_size):
        chosen = ids[first : first + settings.batch_size]
        pairs = [_example(job, by_id[id], int(random.integers(2**31))) for id in chosen]
        images, targets = (torch.stack(part) for part in zip(*pairs, strict=True))
        yield images.contiguous(memory_format=torch.channels_last_3d), targets


def _example(job: _Job, subject: PreparedSubject, seed: int) -> tuple[Tensor, Tensor]:
    """A patient as this step sees it, decided by `seed`: augmented or at least mirrored, and cut to the patch."""
    image, target = as_input(subject.image), job.goal.target(subject)
    mask = target if target.ndim > 1 else None
    if job.settings.augment:
        image, mask = augmented(image, mask, seed)
    elif seed % 2:
        image, mask = image.flip(-1), None if mask is None else mask.flip(-1)
    if job.settings.patch and mask is not None:
        image, mask = cut_patch(image, mask, job.settings.patch, seed)
    return image, target if mask is None else mask


@torch.inference_mode()
def _validate(job: _Job, learner: _Learner) -> tuple[float, float]:
    """Mean loss over the validation patients, and the metric."""
    fabric, module = learner.fabric, learner.averaged.module.eval()
    targets = [fabric.to_device(job.goal.target(subject)) for subject in job.validation]
    logits = []
    for subject in job.validation:
        image = as_input(subject.image)[None].contiguous(memory_format=torch.channels_last_3d)
        with fabric.autocast():
            logits.append(raw_logits(module, fabric.to_device(image), job.window)[0].float())
    losses = [job.goal.loss(one[None], target[None]).item() for one, target in zip(logits, targets, strict=True)]
    return float(np.mean(losses)), job.goal.judge(logits, targets)


def _decide(job: _Job, learner: _Learner) -> list[Decision]:
    """Threshold, smallest part and calibration for each output, by the best weights on the validation patients."""
    module = learner.averaged.module
    restore(module, load_file(job.out / WEIGHTS))
    module.eval()
    given = [
        probabilities(module, as_input(subject.image), mirror=job.settings.augment, window=job.window).cpu().numpy()
        for subject in job.validation
    ]
    truth = [job.goal.target(subject).numpy() > 0 for subject in job.validation]
    if NETWORKS[job.network].task == "grade":
        return [decide_grades(np.concatenate(given).astype(np.float64), np.concatenate(truth))]
    voxel_mm3 = [float(np.prod(subject.spacing_mm)) for subject in job.validation]
    places = range(len(REGION_SETS[job.regions]))
    return [decide_region([one[p] for one in given], [one[p] for one in truth], voxel_mm3) for p in places]


def _last_judgement(state: Progress) -> tuple[float, float]:
    """Of an epoch that is not judged: what the last judgement said."""
    if not state.history:
        return float("nan"), float("-inf")
    return state.history[-1].validation_loss, state.history[-1].validation_metric


def _finished(state: Progress, settings: TrainSettings) -> bool:
    epochs = len(state.history)
    stale = state.best_epoch >= 0 and epochs - 1 - state.best_epoch >= settings.patience
    return epochs >= settings.epochs or stale


def _inputs(job: _Job) -> str:
    patients = [[subject.content for subject in part] for part in (job.train, job.validation)]
    start = None if job.start is None else file_digest(job.start / WEIGHTS)
    content = [job.network, job.regions, asdict(job.settings), patients, start]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _describe(job: _Job, state: Progress, decisions: Sequence[Decision]) -> None:
    description = {
        "network": job.network,
        "regions": job.regions,
        "shape": job.train[0].shape,
        "mirror": job.settings.augment,
        "window": job.window,
        "decisions": [asdict(decision) for decision in decisions],
        "best_epoch": state.best_epoch,
        "validation_metric": state.best_metric,
        "epochs_trained": len(state.history),
        "seconds": sum(report.seconds for report in state.history),
        "settings": asdict(job.settings),
        "start": None if job.start is None else str(job.start),
        "learnt_from": sorted({subject.id for subject in (*job.train, *job.validation)} | _learnt_before(job)),
    }
    partial = job.out / f".{DESCRIPTION}.partial"
    partial.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    partial.replace(job.out / DESCRIPTION)


def _learnt_before(job: _Job) -> set[str]:
    return set() if job.start is None else set(read_description(job.start)["learnt_from"])


def _write_curves(path: Path, state: Progress) -> None:
    lines = ["epoch,train_loss,validation_loss,validation_metric,learning_rate"]
    lines += [
        f"{r.epoch},{r.train_loss!r},{r.validation_loss!r},{r.validation_metric!r},{r.learning_rate!r}"
        for r in state.history
    ]
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(path)


def _check(train: Sequence[PreparedSubject], validation: Sequence[PreparedSubject]) -> None:
    if not train or not validation:
        raise ValueError(f"{len(train)} patients to train and {len(validation)} to validate on: both need at least one")
    if both := {subject.id for subject in train} & {subject.id for subject in validation}:
        raise ValueError(f"{', '.join(sorted(both))}: in training and in validation")
