"""Train a 3D network with Lightning Fabric; an interrupted training resumes with the same result.

An epoch depends only on the weights, their running average, the optimiser's moments, the seed and the epoch's number;
the first three are in the checkpoint. Epoch, threshold, smallest component and calibration are chosen on validation
patients.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import REGION_SETS
from gliobench.integrity import file_digest, remove
from gliobench.models.base.calibration import learn_operating_point
from gliobench.models.base.operating_point import OperatingPoint
from gliobench.models.checkpoints.memory import keep_memory
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.description import DESCRIPTION, WEIGHTS
from gliobench.models.networks.fast import fast
from gliobench.models.networks.inference import probabilities, raw_logits
from gliobench.models.networks.input import as_input
from gliobench.models.networks.weights import own_tensors, restore
from gliobench.tasks.grade import GRADE
from gliobench.training.checkpoint import Progress, load_progress, load_tensors, save_progress, save_tensors
from gliobench.training.decisions import decide_region
from gliobench.training.description import describe, is_described, write_curves
from gliobench.training.errors import DivergedError
from gliobench.training.examples import batches, steps_an_epoch
from gliobench.training.fabric import make_fabric
from gliobench.training.job import Job, Learner
from gliobench.training.launched import on_this_machine
from gliobench.training.objectives import make_objective
from gliobench.training.schedule import learning_rate
from gliobench.training.settings import EpochReport, TrainSettings, recorded

__all__ = ["EpochReport", "TrainSettings", "fit_network"]

LAST = "last.safetensors"
CURVES = "curves.csv"
EXPERIMENTAL = ("devices", "networks that train on several devices (DDP): never run on several GPUs")


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

    `regions`: which parts of a mask, a key of `gliobench.grid.regions.REGION_SETS`. `start`: the folder of a trained
    network of the same kind with the initial weights; its training patients count as training patients here too. Called
    again after an interruption it resumes from the last finished epoch, with the same result; a finished training is
    not repeated. Raises ValueError where a patient is in both lists, or a list is empty, or `start` is of another kind;
    DivergedError where no validation loss is finite.
    """
    _check(train, validation)
    out.mkdir(parents=True, exist_ok=True)
    asked = _Asked(name, train, validation, out, settings, regions, start)
    if is_described(out, asked.inputs):
        return out
    with on_this_machine():
        if settings.devices == 1:
            _train(make_fabric(asked.name, min(asked.train[0].shape), asked.settings), asked, progress)
        else:
            _train_together(asked, progress)
    if not (out / DESCRIPTION).exists():
        raise DivergedError(
            f"{out}: training diverged (no finite validation loss): lower learning_rate; see {out / CURVES}"
        )
    return out


@dataclass(frozen=True)
class _Asked:
    """The arguments of `fit_network`, as sent to other processes."""

    name: str
    train: Sequence[PreparedSubject]
    validation: Sequence[PreparedSubject]
    out: Path
    settings: TrainSettings
    regions: str
    start: Path | None

    @cached_property
    def inputs(self) -> str:
        """Digest of everything that determines the result."""
        patients = [[subject.content for subject in part] for part in (self.train, self.validation)]
        start = None if self.start is None else file_digest(self.start / WEIGHTS)
        content = [self.name, self.regions, recorded(self.settings), patients, start]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _train_together(asked: _Asked, progress: Callable[[EpochReport], None] | None) -> None:
    """Train in one process per device (Lightning's DDP); the first one's reports come back through a queue."""
    reports: Any = get_context("spawn").SimpleQueue()
    listener = Thread(target=_listen, args=(reports, progress), daemon=True)
    listener.start()
    try:
        make_fabric(asked.name, min(asked.train[0].shape), asked.settings).launch(partial(_train_rank, asked, reports))
    finally:
        reports.put(None)
        listener.join()


def _listen(reports: Any, progress: Callable[[EpochReport], None] | None) -> None:
    while (report := reports.get()) is not None:
        if progress:
            progress(report)


def _train_rank(asked: _Asked, reports: Any, fabric: Fabric) -> None:
    _train(fabric, asked, reports.put if fabric.global_rank == 0 else None)


def _train(fabric: Fabric, asked: _Asked, progress: Callable[[EpochReport], None] | None) -> None:
    """The training in each process: all compute the same state, the first one writes it."""
    problem = asked.train[0].problem
    objective = make_objective(NETWORKS[asked.name].task, REGION_SETS[asked.regions], asked.settings, problem)
    job = Job(
        asked.name, asked.regions, asked.train, asked.validation, asked.out, asked.settings, objective, asked.start
    )
    keep_memory()
    learner = _set_up(job, fabric)
    state = load_progress(job.out / LAST, job.out / WEIGHTS, learner.parts, learner.optimiser, asked.inputs)
    if fabric.global_rank == 0 and not state.history:
        for earlier in (DESCRIPTION, WEIGHTS):  # left by another training: they would be taken for this one's
            remove(job.out / earlier)
    fabric.barrier()
    for report in state.history:
        if progress:
            progress(report)
    while not _finished(state, job.settings):
        state = _epoch(job, learner, state)
        if progress:
            progress(state.history[-1])
    if fabric.global_rank == 0:
        if state.best_epoch >= 0:
            describe(job, state, *_decide(job, learner))
        (job.out / LAST).unlink(missing_ok=True)


def _set_up(job: Job, fabric: Fabric) -> Learner:
    """The network with its average and its optimiser."""
    settings = job.settings
    fabric.seed_everything(settings.seed, verbose=False)
    module = NETWORKS[job.network].build(job.train[0].shape, len(job.train[0].image), _outputs(job))
    if job.start is not None:
        restore(module, load_file(job.start / WEIGHTS))
    module = fast(module)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    module, optimiser = fabric.setup(module, optimiser)
    averaged = AveragedModel(module.module, avg_fn=_average(settings.ema), use_buffers=True)
    return Learner(fabric, module, averaged, optimiser)


def _outputs(job: Job) -> int:
    return NETWORKS[job.network].outputs(len(job.train[0].problem.classes), len(REGION_SETS[job.regions]))


def _average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential running average with a smaller decay at first, or with decay 0 the weights themselves."""

    def average(before: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        share = min(decay, (1 + int(count)) / (10 + int(count)))
        return before * share + now * (1 - share) if before.is_floating_point() else now

    return average


def _epoch(job: Job, learner: Learner, state: Progress) -> Progress:
    """One epoch, its evaluation, and its files."""
    start, number, settings = perf_counter(), len(state.history), job.settings
    trained, due = _learn(job, learner, number), _evaluated(number, settings)
    found = _validate(job, learner) if due else _last_evaluation(state)
    report = EpochReport(
        epoch=number,
        epochs=settings.epochs,
        train_loss=trained.loss,
        validation_loss=found.loss,
        validation_metric=found.metric,
        learning_rate=trained.rate,
        seconds=perf_counter() - start,
        train_score=trained.score,
        validation_score=found.score,
    )
    # A mask's Dice is finite even where all probabilities are NaN; its loss is not.
    better = due and math.isfinite(found.loss) and (settings.keep == "last" or found.metric > state.best_metric)
    state = replace(state, history=(*state.history, report))
    if better:
        state = replace(state, best_epoch=number)
    if learner.fabric.global_rank == 0:
        if better:
            save_tensors(own_tensors(learner.averaged.module), job.out / WEIGHTS)
        save_progress(job.out / LAST, learner.parts, learner.optimiser, state)
        write_curves(job.out / CURVES, state, job.objective.score_name)
    learner.fabric.barrier()
    return state


class _Learnt(NamedTuple):
    """An epoch's mean loss and score over its steps, and the learning rate of the last."""

    loss: float
    score: float
    rate: float


class _Evaluation(NamedTuple):
    """Mean loss over the validation patients, the metric that chooses, and the score to look at."""

    loss: float
    metric: float
    score: float


def _learn(job: Job, learner: Learner, epoch: int) -> _Learnt:
    settings, fabric = job.settings, learner.fabric
    learner.module.train()
    steps = steps_an_epoch(job, fabric.world_size)
    losses, scores, rate = [], [], 0.0
    for step, (images, targets) in enumerate(batches(job, epoch, fabric.global_rank, fabric.world_size)):
        rate = learning_rate(settings, epoch * steps + step, steps)
        for group in learner.optimiser.param_groups:
            group["lr"] = rate
        with fabric.autocast():
            logits = learner.module(fabric.to_device(images)).float()
        truth = fabric.to_device(targets)
        loss = job.objective.loss(logits, truth)
        learner.optimiser.zero_grad(set_to_none=True)
        fabric.backward(loss)
        if settings.clip_norm:
            fabric.clip_gradients(learner.module, learner.optimiser, max_norm=settings.clip_norm)
        learner.optimiser.step()
        learner.averaged.update_parameters(learner.module.module)
        losses.append(_over_processes(fabric, loss.item()))
        scores.append(_over_processes(fabric, job.objective.score(logits.detach(), truth)))
    return _Learnt(float(np.mean(losses)), float(np.mean(scores)), rate)


def _over_processes(fabric: Fabric, value: float) -> float:
    """The mean over all processes."""
    return float(fabric.all_reduce(value)) if fabric.world_size > 1 else value


@torch.inference_mode()
def _validate(job: Job, learner: Learner) -> _Evaluation:
    fabric, module = learner.fabric, learner.averaged.module.eval()
    targets = [fabric.to_device(job.objective.target(subject)) for subject in job.validation]
    logits = []
    for subject in job.validation:
        image = as_input(subject.image, job.settings.intensities)[None].contiguous(memory_format=torch.channels_last_3d)
        with fabric.autocast():
            logits.append(raw_logits(module, fabric.to_device(image), job.window)[0].float())
    losses = [job.objective.loss(one[None], target[None]).item() for one, target in zip(logits, targets, strict=True)]
    scores = [job.objective.score(one[None], target[None]) for one, target in zip(logits, targets, strict=True)]
    return _Evaluation(float(np.mean(losses)), job.objective.judge(logits, targets), float(np.mean(scores)))


def _decide(job: Job, learner: Learner) -> tuple[list[OperatingPoint], str]:
    """Threshold and smallest component of each region, or threshold and calibration of a class: by the kept weights on
    the validation patients, unless the settings give the threshold; and why a class's probabilities are not calibrated,
    empty where they are."""
    of_class = NETWORKS[job.network].task == GRADE.name
    decided = 1 if of_class else _outputs(job)
    if job.settings.threshold is not None:
        return [OperatingPoint(job.settings.threshold)] * decided, ""
    module = learner.averaged.module
    restore(module, load_tensors(job.out / WEIGHTS)[0])
    module.eval()
    images = (as_input(subject.image, job.settings.intensities) for subject in job.validation)
    given = [
        probabilities(module, image, mirror=job.settings.augment, window=job.window).cpu().numpy() for image in images
    ]
    if of_class:
        problem, scores = job.validation[0].problem, np.stack(given).astype(np.float64)
        classes = np.array([subject.grade for subject in job.validation])
        decision, fault = learn_operating_point(scores[:, 0] if scores.shape[1] == 1 else scores, classes, problem)
        return [decision], fault
    truth = [job.objective.target(subject).numpy() > 0 for subject in job.validation]
    voxel_mm3 = [float(np.prod(subject.spacing_mm)) for subject in job.validation]
    masks = [decide_region([one[p] for one in given], [one[p] for one in truth], voxel_mm3) for p in range(decided)]
    return masks, ""


def _last_evaluation(state: Progress) -> _Evaluation:
    """The last evaluation, for an epoch without one."""
    if not state.history:
        return _Evaluation(math.nan, math.nan, math.nan)
    last = state.history[-1]
    return _Evaluation(last.validation_loss, last.validation_metric, last.validation_score)


def _evaluated(epoch: int, settings: TrainSettings) -> bool:
    return (epoch + 1) % settings.validate_every == 0 or epoch + 1 == settings.epochs


def _finished(state: Progress, settings: TrainSettings) -> bool:
    epoch = len(state.history) - 1
    stale = epoch - state.best_epoch >= settings.patience and _evaluated(epoch, settings)
    return epoch + 1 >= settings.epochs or stale


def _check(train: Sequence[PreparedSubject], validation: Sequence[PreparedSubject]) -> None:
    if not train or not validation:
        raise ValueError(f"{len(train)} patients to train and {len(validation)} to validate on: both need at least one")
    if both := {subject.patient for subject in train} & {subject.patient for subject in validation}:
        raise ValueError(f"{', '.join(sorted(both))}: in training and in validation")
