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
from gliobench.models.networks import NETWORKS
from gliobench.models.networks.trained import DESCRIPTION, WEIGHTS, another_region, read_description
from gliobench.study.asking.questions import can_be_asked
from gliobench.study.asking.region_of_interest import shown
from gliobench.study.kinds.base import Learning, learning_by_fold
from gliobench.study.kinds.network import NetworkModel, train_settings
from gliobench.study.stages.in_sample import FIGURES, write_figures
from gliobench.study.state.context import Context, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.stage import Stage
from gliobench.training.settings import TrainSettings, recorded

SWEEP, CURVES = "sweep.json", "curves.csv"


def train(context: Context, names: Collection[str] | None = None) -> None:
    """Train the networks of the study, or only those named. Goes on where an interrupted training stopped."""
    networks = [part for part in context.study.models if part.trains]
    if unknown := sorted(set(names or ()) - {part.name for part in networks}):
        known = ", ".join(part.name for part in networks) or "none"
        raise StageError(f"no network of the study is named {', '.join(unknown)}; it has {known}")
    chosen = [part for part in networks if names is None or part.name in names]
    for part in chosen:
        for fault in (part.start_fault(fold, context.study.asked_region) for fold in context.folds.values()):
            if fault is not None:
                raise StageError(f"{part.name}: {fault}")
    for part in chosen:
        for number, fold in context.folds.items():
            part.learn(context, number, fold)


def network_learning(context: Context, part: NetworkModel) -> list[Learning]:
    """The stages in which a network learns, one a fold."""
    return learning_by_fold(context, part, context.folds.items(), training_inputs, trained_files)


def trained_files(out: Path) -> list[Path]:
    """What a training leaves in its folder; an earlier version's left no figures."""
    figures = [out / FIGURES] if (out / FIGURES).exists() else []
    return [out / WEIGHTS, out / DESCRIPTION, out / CURVES, *figures]


def training_inputs(context: Context, part: NetworkModel, fold: Fold) -> str:
    """Fingerprint of everything that decides a network's weights."""
    return _inputs(context, part, fold, train_settings(part))


def _inputs(context: Context, part: NetworkModel, fold: Fold, settings: Sequence[TrainSettings]) -> str:
    learn, validate = _patients(context, part, fold)
    return fingerprint(
        network=part.network,
        regions=part.regions,
        start=None if part.start is None else file_digest(part.start / DESCRIPTION),
        train=[recorded(one) for one in settings],
        learn=[subject.content for subject in learn],
        validate=[subject.content for subject in validate],
        grades=[subject.grade for subject in (*learn, *validate)],
    )


def train_network(context: Context, part: NetworkModel, number: int, fold: Fold) -> None:
    """Train a fold's network; where the study sweeps, one for each choice, and keep the best on validation."""
    stage, settings = Stage("train", part.name, number), train_settings(part)
    out = context.folder.network(part.name, number)
    if len(settings) == 1:
        _fit(context, part, fold, settings[0], stage, out)
        return
    inputs = training_inputs(context, part, fold)
    with context.stage(stage, inputs, lambda: [*trained_files(out), out / SWEEP], costly=True) as to_do:
        if not to_do:
            return
        choices = [context.folder.choice(part.name, number, place) for place in range(len(settings))]
        metrics = [
            _choice(context, part, fold, one, replace(stage, choice=place), folder)
            for place, (one, folder) in enumerate(zip(settings, choices, strict=True))
        ]
        best = metrics.index(max(metrics))
        if metrics[best] == -math.inf:
            raise StageError(f"{stage.target}: no choice of the sweep gave a finite figure: lower learning_rate")
        shutil.copytree(choices[best], out, dirs_exist_ok=True)
        known = [metric if math.isfinite(metric) else None for metric in metrics]
        write_json(
            out / SWEEP, {"chosen": best, "validation_metrics": known, "choices": [vars(one) for one in settings]}
        )
        context.voice.say(f"{stage.target}: choice {best} of {len(settings)} is the best on the validation patients")


def _choice(
    context: Context, part: NetworkModel, fold: Fold, settings: TrainSettings, stage: Stage, out: Path
) -> float:
    """Train one choice of a sweep; its validation metric, minus infinity where it diverges."""
    from gliobench.training.errors import DivergedError

    try:
        _fit(context, part, fold, settings, stage, out)
    except DivergedError as error:
        context.voice.say(f"{stage}: {error}")
        return -math.inf
    return float(read_description(out)["validation_metric"])


def _fit(context: Context, part: NetworkModel, fold: Fold, settings: TrainSettings, stage: Stage, out: Path) -> None:
    from gliobench.training.fit import EpochReport, fit_network
    from gliobench.training.logs import close_logs, log_epoch, open_logs

    learn, validate = _patients(context, part, fold)
    if not learn or not validate:
        task = NETWORKS[part.network].task
        raise StageError(
            f"{part.name}: no patient with a truth for the task {task} to train and validate on: take the entry out"
        )
    inputs = _inputs(context, part, fold, [settings])
    with context.stage(stage, inputs, lambda: trained_files(out), costly=True) as to_do:
        if not to_do:
            return
        if known := known_validation(part, fold):
            context.voice.say(f"{part.name}: {known}")
        try:
            loggers = open_logs(part.log, context.folder.root / "logs", str(stage))
        except ModuleNotFoundError as error:
            raise StageError(f"{part.name}: log: {error}") from error
        with context.voice.bar(stage.title, settings.epochs) as advance:

            def show(report: EpochReport) -> None:
                note = f"loss {report.train_loss:.3f}, validation {report.validation_metric:.3f}"
                advance(report.epoch + 1, note)
                log_epoch(loggers, report)

            fit_network(part.network, learn, validate, out, settings, show, part.regions, part.start)
            close_logs(loggers)
        write_figures(out, part.name, NETWORKS[part.network].task, {"training": learn, "validation": validate})


def start_fault(part: NetworkModel, fold: Fold, region: Region) -> str | None:
    """Why a network cannot learn on from its `start`; None where it can. Raises ModelError where none is there."""
    if part.start is None or part.weights is not None:
        return None
    found = read_description(part.start)
    if (found["network"], found["regions"]) != (part.network, part.regions):
        return (
            f"start {part.start} is a {found['network']} for {found['regions']}, "
            f"and {part.network} for {part.regions} is to be trained"
        )
    if why := another_region(part.start, region):
        return f"start {why}: start from another network"
    if seen := scans_of(fold.whose(fold.test), found["learnt_from"]):
        return (
            f"start {part.start} has learnt from {len(seen)} of the patients to be tested "
            f"({', '.join(seen[:5])}{', …' if len(seen) > 5 else ''}), and would not be asked about them: "
            "start from another network, or split as it was split"
        )
    return None


def known_validation(part: NetworkModel, fold: Fold) -> str | None:
    """What has to be said where `start` knows patients who decide; None where it knows none."""
    learnt = set() if part.start is None else set(read_description(part.start)["learnt_from"])
    known = scans_of(fold.whose(fold.validation), learnt)
    if not known:
        return None
    return (
        f"start {part.start} has learnt from, or was chosen on, {len(known)} of the {len(fold.validation)} validation "
        "patients: epoch and threshold may suit these better than the tested patients"
    )


def _patients(context: Context, part: NetworkModel, fold: Fold) -> Iterator[list[PreparedSubject]]:
    """Training and validation patients of a fold that have a truth for the network's task."""
    task = NETWORKS[part.network].task
    subjects = shown(context, part)
    for ids in (fold.train, fold.validation):
        yield [subject for subject in (subjects[id] for id in ids) if can_be_asked(subject, task)]
