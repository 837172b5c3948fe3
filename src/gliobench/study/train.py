"""Stage `train`: every 3D network of the study learns from the training patients of each fold in use."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.splits import Fold
from gliobench.models.networks import NETWORKS
from gliobench.models.trained import DESCRIPTION, read_description
from gliobench.study.context import Context, StageError
from gliobench.study.folder import file_digest, fingerprint, write_json
from gliobench.study.network_parts import NetworkModel, NnUNetModel
from gliobench.study.nnunet import train_nnunet
from gliobench.study.questions import can_be_asked
from gliobench.study.shown import shown

if TYPE_CHECKING:
    from gliobench.training.settings import TrainSettings

SWEEP = "sweep.json"


def train(context: Context, names: Collection[str] | None = None) -> None:
    """Train the networks of the study, or only those named. Goes on where an interrupted training stopped."""
    networks = [part for part in context.study.models if isinstance(part, NetworkModel | NnUNetModel)]
    if unknown := sorted(set(names or ()) - {part.name for part in networks}):
        known = ", ".join(part.name for part in networks) or "none"
        raise StageError(f"no network of the study is named {', '.join(unknown)}; it has {known}")
    for part in networks:
        if names is not None and part.name not in names:
            continue
        for number, fold in context.folds.items():
            if isinstance(part, NnUNetModel):
                train_nnunet(context, part, number, fold)
            elif part.weights is None:
                _train(context, part, number, fold)


def train_settings(part: NetworkModel) -> list["TrainSettings"]:
    """The network's recipe with what the study file says otherwise; several where it sweeps."""
    from gliobench.training.settings import recipe

    settings = replace(recipe(part.network), **part.train.model_dump(exclude_none=True))
    return [replace(settings, **choice.model_dump(exclude_none=True)) for choice in part.sweep] or [settings]


def training_inputs(context: Context, part: NetworkModel, fold: Fold) -> str:
    """Fingerprint of everything that decides a network's weights."""
    return _inputs(context, part, fold, train_settings(part))


def _inputs(context: Context, part: NetworkModel, fold: Fold, settings: Sequence["TrainSettings"]) -> str:
    learn, validate = _patients(context, part, fold)
    return fingerprint(
        network=part.network,
        regions=part.regions,
        start=None if part.start is None else file_digest(part.start / DESCRIPTION),
        train=[vars(one) for one in settings],
        learn=[subject.content for subject in learn],
        validate=[subject.content for subject in validate],
        grades=[subject.grade for subject in (*learn, *validate)],
    )


def _train(context: Context, part: NetworkModel, number: int, fold: Fold) -> None:
    """Train a fold's network; where the study sweeps, one for each choice, and keep the best on validation."""
    _check_start(part)
    name, settings = f"{part.name}-fold-{number}", train_settings(part)
    out = context.folder.network(part.name, number)
    if len(settings) == 1:
        _fit(context, part, fold, settings[0], f"train-{name}", out)
        return
    inputs = training_inputs(context, part, fold)
    with context.stage(f"train-{name}", inputs, done=(out / DESCRIPTION).exists()) as to_do:
        if not to_do:
            return
        choices = [context.folder.choice(part.name, number, place) for place in range(len(settings))]
        for place, (one, folder) in enumerate(zip(settings, choices, strict=True)):
            _fit(context, part, fold, one, f"train-{name}-choice-{place}", folder)
        metrics = [float(read_description(folder)["validation_metric"]) for folder in choices]
        best = metrics.index(max(metrics))
        shutil.copytree(choices[best], out, dirs_exist_ok=True)
        write_json(
            out / SWEEP, {"chosen": best, "validation_metrics": metrics, "choices": [vars(one) for one in settings]}
        )
        context.voice.say(f"{name}: choice {best} of {len(settings)} is the best on the validation patients")


def _fit(context: Context, part: NetworkModel, fold: Fold, settings: "TrainSettings", stage: str, out: Path) -> None:
    from gliobench.training.fit import EpochReport, fit_network
    from gliobench.training.logs import close_logs, log_epoch, open_logs

    learn, validate = _patients(context, part, fold)
    if not learn or not validate:
        task = NETWORKS[part.network].task
        raise StageError(f"{part.name}: no patient with a truth for the task {task} to train and validate on")
    inputs = _inputs(context, part, fold, [settings])
    with context.stage(stage, inputs, done=(out / DESCRIPTION).exists()) as to_do:
        if not to_do:
            return
        try:
            loggers = open_logs(part.log, context.folder.root / "logs", stage)
        except ModuleNotFoundError as error:
            raise StageError(f"{part.name}: log: {error}") from error
        with context.voice.bar(stage.replace("-", " ", 1), settings.epochs) as advance:

            def show(report: EpochReport) -> None:
                note = f"loss {report.train_loss:.3f}, validation {report.validation_metric:.3f}"
                advance(report.epoch + 1, note)
                log_epoch(loggers, report)

            fit_network(part.network, learn, validate, out, settings, show, part.regions, part.start)
            close_logs(loggers)


def _check_start(part: NetworkModel) -> None:
    """Raises ModelError or StageError where `start` is no trained network of this kind."""
    if part.start is None:
        return
    found = read_description(part.start)
    if (found["network"], found["regions"]) != (part.network, part.regions):
        raise StageError(
            f"{part.name}: start {part.start} is a {found['network']} for {found['regions']}, "
            f"and {part.network} for {part.regions} is to be trained"
        )


def _patients(context: Context, part: NetworkModel, fold: Fold) -> Iterator[list[PreparedSubject]]:
    """Training and validation patients of a fold that have a truth for the network's task."""
    if part.network not in NETWORKS:
        raise StageError(f"{part.name}: no network is named {part.network!r}; there are {', '.join(NETWORKS)}")
    task = NETWORKS[part.network].task
    if part.crop is not None and task != "grade":
        raise StageError(f"{part.name}: crop: {part.network} answers the task {task} about whole patients")
    subjects = shown(context, part)
    for ids in (fold.train, fold.validation):
        yield [subject for subject in (subjects[id] for id in ids) if can_be_asked(subject, task)]
