"""Stage `train`: every 3D network of the study learns from the training patients of each fold in use."""

import math
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.patients import scans_of
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import Region
from gliobench.grid.splits import Fold
from gliobench.integrity import file_digest, write_json
from gliobench.models.base.errors import ModelError
from gliobench.models.base.leakage import trained_on_tested
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.description import (
    DESCRIPTION,
    WEIGHTS,
    another_problem,
    another_region,
    read_description,
)
from gliobench.study.asking.questions import can_be_asked
from gliobench.study.asking.region_of_interest import shown
from gliobench.study.kinds.learning import Learning, learning_by_fold
from gliobench.study.kinds.network import NetworkConfig, train_settings
from gliobench.study.parts.stage import Stage
from gliobench.study.stages.in_sample import FIGURES, drawn, write_figures
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.training.settings import TrainSettings, recorded

SWEEP, CURVES = "sweep.json", "curves.csv"


def train(context: Context, names: Collection[str] | None = None) -> None:
    """Train the networks of the study, or only those named. Resumes an interrupted training."""
    networks = [config for config in context.study.models if config.trains]
    if unknown := sorted(set(names or ()) - {config.name for config in networks}):
        known = ", ".join(config.name for config in networks) or "none"
        raise StageError(f"no network of the study is named {', '.join(unknown)}; it has {known}")
    chosen = [config for config in networks if names is None or config.name in names]
    for config in chosen:
        for fault in (config.start_fault(fold, context.study.asked_region) for fold in context.folds.values()):
            if fault is not None:
                raise StageError(f"{config.name}: {fault}")
    for config in chosen:
        for number, fold in context.folds.items():
            config.learn(context, number, fold)


def network_learning(context: Context, config: NetworkConfig) -> list[Learning]:
    """The stages in which a network learns, one per fold."""
    return learning_by_fold(context, config, context.folds.items(), training_inputs, trained_files)


def trained_files(out: Path) -> list[Path]:
    """What a training leaves in its folder; an earlier version's left no figures."""
    figures = [out / FIGURES] if (out / FIGURES).exists() else []
    return [out / WEIGHTS, out / DESCRIPTION, out / CURVES, *figures]


def training_inputs(context: Context, config: NetworkConfig, fold: Fold) -> str:
    """Fingerprint of everything that decides a network's weights."""
    return _inputs(context, config, fold, train_settings(config))


def _inputs(context: Context, config: NetworkConfig, fold: Fold, settings: Sequence[TrainSettings]) -> str:
    learn, validate = _patients(context, config, fold)
    return fingerprint(
        network=config.network,
        regions=config.regions,
        start=None if config.start is None else file_digest(config.start / DESCRIPTION),
        train=[recorded(one) for one in settings],
        learn=[subject.content for subject in learn],
        validate=[subject.content for subject in validate],
        grades=[subject.grade for subject in (*learn, *validate)],
    )


def train_network(context: Context, config: NetworkConfig, number: int, fold: Fold) -> None:
    """Train a fold's network; where the study sweeps, one for each choice, and keep the best on validation."""
    stage, settings = Stage("train", config.name, number), train_settings(config)
    out = context.folder.network(config.name, number)
    if len(settings) == 1:
        _fit(context, config, fold, settings[0], stage, out)
        return
    inputs = training_inputs(context, config, fold)
    with context.stage(stage, inputs, lambda: [*trained_files(out), out / SWEEP], costly=True) as to_do:
        if not to_do:
            return
        choices = [context.folder.choice(config.name, number, place) for place in range(len(settings))]
        metrics = [
            _choice(context, config, fold, one, replace(stage, choice=place), folder)
            for place, (one, folder) in enumerate(zip(settings, choices, strict=True))
        ]
        best = metrics.index(max(metrics))
        if metrics[best] == -math.inf:
            raise StageError(f"{stage.target}: training diverged for every setting of the sweep: lower learning_rate")
        shutil.copytree(choices[best], out, dirs_exist_ok=True)
        known = [metric if math.isfinite(metric) else None for metric in metrics]
        write_json(
            out / SWEEP, {"chosen": best, "validation_metrics": known, "choices": [vars(one) for one in settings]}
        )
        context.voice.say(f"{stage.target}: choice {best} of {len(settings)} is the best on the validation patients")


def _choice(
    context: Context, config: NetworkConfig, fold: Fold, settings: TrainSettings, stage: Stage, out: Path
) -> float:
    """Train one choice of a sweep; its validation metric, minus infinity where it diverges."""
    from gliobench.training.errors import DivergedError

    try:
        _fit(context, config, fold, settings, stage, out)
    except DivergedError as error:
        context.voice.say(f"{stage}: {error}")
        return -math.inf
    return float(read_description(out)["validation_metric"])


def _fit(context: Context, config: NetworkConfig, fold: Fold, settings: TrainSettings, stage: Stage, out: Path) -> None:
    from gliobench.training.fit import EpochReport, fit_network
    from gliobench.training.logs import close_logs, log_epoch, open_logs

    learn, validate = _patients(context, config, fold)
    if not learn or not validate:
        task = NETWORKS[config.network].task
        raise ModelError(
            f"{config.name}: no patient with a truth for the task {task} to train and validate on: remove this model"
        )
    inputs = _inputs(context, config, fold, [settings])
    with context.stage(stage, inputs, lambda: trained_files(out), costly=True) as to_do:
        if not to_do:
            return
        if known := known_validation(config, fold):
            context.voice.say(f"{config.name}: {known}")
        try:
            loggers = open_logs(config.log, context.folder.root / "logs", str(stage))
        except ModuleNotFoundError as error:
            raise StageError(f"{config.name}: log: {error}") from error
        with context.voice.bar(stage.title, settings.epochs) as advance:

            def show(report: EpochReport) -> None:
                note = f"loss {report.train_loss:.3f}, validation {report.validation_metric:.3f}"
                advance(report.epoch + 1, note)
                log_epoch(loggers, report)

            fit_network(config.network, learn, validate, out, settings, show, config.regions, config.start)
            close_logs(loggers)
        if context.keeps_in_sample:
            parts = {"training": drawn(learn, settings.seed), "validation": validate}
            write_figures(out, config.name, NETWORKS[config.network].task, parts)


def start_fault(config: NetworkConfig, fold: Fold, region: Region) -> str | None:
    """Why a network cannot learn on from its `start`; None where it can. Raises ModelError where none is there."""
    if config.start is None or config.weights is not None:
        return None
    found = read_description(config.start)
    if (found["network"], found["regions"]) != (config.network, config.regions):
        return (
            f"start {config.start} is a {found['network']} for {found['regions']}, "
            f"and {config.network} for {config.regions} is to be trained"
        )
    if why := another_problem(config.start, config.problem) or another_region(config.start, region):
        return f"start {why}: start from another network"
    if seen := scans_of(fold.whose(fold.test), found["trained_on"]):
        return (
            f"start {trained_on_tested(str(config.start), seen)}: start from another network, or split as it was split"
        )
    return None


def known_validation(config: NetworkConfig, fold: Fold) -> str | None:
    """A warning where `start` was trained on validation patients; None where it was on none."""
    before = set() if config.start is None else set(read_description(config.start)["trained_on"])
    known = scans_of(fold.whose(fold.validation), before)
    if not known:
        return None
    return (
        f"start {config.start} was trained or selected on {len(known)} of the {len(fold.validation)} validation "
        "patients: epoch and threshold may suit these better than the test patients"
    )


def _patients(context: Context, config: NetworkConfig, fold: Fold) -> Iterator[list[PreparedSubject]]:
    """Training and validation patients of a fold that have a truth for the network's task."""
    task = NETWORKS[config.network].task
    subjects = shown(context, config)
    for ids in (fold.train, fold.validation):
        yield [subject for subject in (subjects[id] for id in ids) if can_be_asked(subject, task)]
