"""Stage `finetune`: language models of the study learn from the training patients of each round's fold."""

import math
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliobench.cohort.patients import names_of, scans_of
from gliobench.grid.splits import Fold
from gliobench.integrity import DamagedError, Stamp, left_in, listed, read_json, remove, write_json
from gliobench.models.base.leakage import trained_on_tested
from gliobench.models.base.prediction import Prediction
from gliobench.models.checkpoints.unsloth import start_unsloth
from gliobench.models.language.finetuned import DESCRIPTION, trained_on
from gliobench.study.asking.build import language_model
from gliobench.study.kinds.learning import Learning, learning_by_fold
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import Context, StageError, read_prepared, read_stage
from gliobench.study.state.external_files import BY_CONTENT, contents
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    from gliobench.scoring.metric import Metric
    from gliobench.training.finetune.examples import Example
    from gliobench.training.finetune.settings import FinetuneSettings

CHECKS, CARD, CURVES, LOSSES = "checks.json", "README.md", "curves.csv", "losses.csv"
NOT_WEIGHTS = (DESCRIPTION, CHECKS, CARD, CURVES, LOSSES)
LIBRARIES = ("torch", "transformers", "trl", "peft")


def finetune(
    context: Context, names: Collection[str] | None = None, push_to: str | None = None, *, alone: bool = False
) -> None:
    """Fine-tune the language models of the study that ask for it, or only those named.

    Resumes an interrupted training. `push_to`: then put the adapter onto this repository of the hub.
    `alone`: this process does nothing else, so that Unsloth can change it. Raises StageError for an unknown name,
    where more than one adapter would go onto one repository, and where a model is Unsloth's and others are not.
    """
    parts = [config for config in context.study.models if config.verb == "finetune"]
    if unknown := sorted(set(names or ()) - {config.name for config in parts}):
        known = ", ".join(config.name for config in parts) or "none"
        raise StageError(f"no language model with `finetune:` is named {', '.join(unknown)}; the study has {known}")
    chosen = [config for config in parts if names is None or config.name in names]
    jobs = [(config, number, fold) for config in chosen for number, fold in finetuned_folds(context)]
    if push_to is not None and len(jobs) != 1:
        raise StageError(f"--push-to takes one adapter, and {len(jobs)} would be made: choose with --model and --fold")
    unsloth = [config.name for config in chosen if config.engine == "unsloth"]
    if alone and unsloth and len(unsloth) < len(chosen):
        others = ", ".join(config.name for config in chosen if config.name not in unsloth)
        raise StageError(
            f"Unsloth changes transformers for its whole process: fine-tune {', '.join(unsloth)} in one call and "
            f"{others} in another, with --model"
        )
    for config, number, fold in jobs:
        config.learn(context, number, fold, alone=alone)
    if push_to is not None:
        (config, number, _) = jobs[0]
        push(context, context.folder.network(config.name, number), push_to)


def check_engines(context: Context) -> None:
    """Raise StageError where Unsloth has still to fine-tune a model, before `run` begins with anything."""
    if left := [config.name for config in context.study.models if config.is_left(context)]:
        raise StageError(_apart(left))


def _apart(names: Sequence[str]) -> str:
    return (
        f"{', '.join(names)}: Unsloth changes transformers for its whole process, so it fine-tunes in one of its own: "
        "`gliobench prepare`, `gliobench split`, then, where Unsloth is installed (docs/finetuning.md), "
        f"`gliobench finetune {' '.join(f'--model {name}' for name in names)}`; `gliobench run` goes on from there"
    )


def finetuned_folds(context: Context) -> list[tuple[int, Fold]]:
    """The folds that language models learn from: one per round, because adapters cannot be ensembled."""
    return [next(iter(round.folds.items())) for round in context.rounds]


def finetune_learning(context: Context, config: LanguageModelConfig) -> list[Learning]:
    """The stages in which a language model learns, one per fold."""
    return learning_by_fold(context, config, finetuned_folds(context), finetuning_inputs, finetuned_files)


def finetuning_inputs(context: Context, config: LanguageModelConfig, fold: Fold) -> str:
    """Fingerprint of everything that decides what a model learns."""
    subjects = {name: [context.subjects[id] for id in ids] for name, ids in vars(fold).items()}
    digest = context.study.problem.asked_digest
    return fingerprint(
        **({"problem": digest} if digest else {}),
        model=_decisive(config),
        outside=contents(config, context.study.asked_region),
        planes=context.study.slices.planes,
        tasks=_tasks(context, config),
        patients={name: [[one.content, one.grade] for one in config] for name, config in subjects.items()},
    )


def _decisive(config: LanguageModelConfig) -> dict[str, Any]:
    """What of an entry decides its training. `trim` came later: unset it is left out, so that earlier runs hold."""
    said = {"name", "aggregate", "camp", "seen"}
    model = config.model_dump(exclude={*said, *LanguageModelConfig.OPERATION, *BY_CONTENT})
    if model["finetune"] and model["finetune"]["trim"] is None:
        del model["finetune"]["trim"]
    return model


def finetune_settings(config: LanguageModelConfig) -> "FinetuneSettings":
    """The settings of an entry: the defaults with what the study file says otherwise."""
    from gliobench.training.finetune.settings import FinetuneSettings

    assert config.finetune is not None
    return FinetuneSettings(**config.finetune.model_dump(exclude_none=True))


def finetune_model(context: Context, config: LanguageModelConfig, number: int, fold: Fold, alone: bool) -> None:
    from gliobench.training.finetune.settings import STEPS

    stage, inputs = Stage("finetune", config.name, number), finetuning_inputs(context, config, fold)
    out = context.folder.network(config.name, number)
    with context.stage(stage, inputs, lambda: finetuned_files(out), costly=True) as to_do:
        if to_do and not _is_trained(out, inputs):
            if finetune_settings(config).engine == "unsloth":
                if not alone:
                    raise StageError(_apart([config.name]))
                start_unsloth()
            _fit(context, config, number, fold, out, inputs)
    shutil.rmtree(out / STEPS, ignore_errors=True)  # behind the stamp: after a kill before it nothing is trained again


def finetuned_files(out: Path) -> list[Path]:
    """What a fine-tuning leaves in its folder: the adapter or all weights, description, card, checks and curves."""
    return [out / DESCRIPTION, *(path for path in left_in(out) if path.name != DESCRIPTION)]


def _is_trained(out: Path, inputs: str) -> bool:
    """Whether the fine-tuning of these inputs has ended here, and the weights are as it left them."""
    try:
        found = read_json(out / DESCRIPTION)
    except (FileNotFoundError, DamagedError):
        return False
    return found.get("inputs") == inputs and not Stamp(inputs, 0.0, found["files"]).faults(out)


def taught_patients(settings: "FinetuneSettings", fold: Fold) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The training and the validation patients of a fold."""
    return (fold.train, fold.validation) if settings.patients == "training" else (fold.train + fold.validation, ())


def _fit(context: Context, config: LanguageModelConfig, number: int, fold: Fold, out: Path, inputs: str) -> None:
    from gliobench.training.finetune.card import Card, write_card
    from gliobench.training.finetune.fit import finetune as fit

    settings, before = finetune_settings(config), base_trained_on(config, fold)
    ids, validated = taught_patients(settings, fold)
    if config.unvalidated:
        context.voice.say(config.unvalidated)
    if known := scans_of(fold.whose(validated), before):
        context.voice.say(
            f"{config.name}: {config.checkpoint} was trained or selected on {len(known)} of the {len(validated)} "
            "validation patients: the step kept may suit these better than the test patients"
        )
    train, validation = (examples_of(context, config, settings, some) for some in (ids, validated))
    model = language_model(context, config, to_train=True)
    stage = Stage("finetune", config.name, number)
    bar = context.voice.bar(stage.title, settings.steps or 0)
    out.mkdir(parents=True, exist_ok=True)
    remove(out / DESCRIPTION)  # an earlier model's; from here on it is no longer whole
    with bar as advance:
        found = fit(
            model,
            train,
            validation,
            out,
            settings,
            score=answers_worth,
            tested=frozenset(fold.whose(fold.test).values()),
            progress=lambda step, steps: advance(step, f"of {steps} steps"),
        )
    for verdict in found.verdicts:
        context.voice.say(f"{stage.target}: {verdict}")
    weights = listed((path for path in left_in(out) if path.name not in NOT_WEIGHTS), out)
    write_json(out / CHECKS, {"checks": [asdict(verdict) for verdict in found.verdicts]})
    trained_on = names_of(example.question.subject for example in (*train, *validation)) | before
    libraries = (*LIBRARIES, "unsloth") if settings.engine == "unsloth" else LIBRARIES
    description = {
        "inputs": inputs,
        "files": weights,
        "base": config.checkpoint,
        "revision": model.checkpoint.revision,
        "settings": asdict(settings),
        "versions": {name: version(name) for name in libraries},
        "steps": found.steps,
        "best_step": found.best,
        "figures": found.figures,
        "seconds": found.seconds,
        "split": context.split.checksum,
        "fold": number,
        "trained_on": sorted(trained_on),
    }
    parts = {"training": train, "validation": validation} if validation else {"training and validation": train}
    patients = {name: len({one.question.subject.patient for one in config}) for name, config in parts.items()}
    patients["test (not seen)"] = len(set(fold.whose(fold.test).values()))
    left = read_prepared(context.folder)
    data = f"{left['layout']}, fold {number} of the split with checksum {context.split.checksum}"
    if not context.study.asked_region.whole:
        data += f", asked about the {context.study.asked_region.title} alone"
    write_card(
        out / CARD, Card(model.checkpoint.id, data, patients, len(train), settings, found, context.study.problem)
    )
    write_json(out / DESCRIPTION, description)  # last: with it the folder holds a fine-tuned model


def base_trained_on(config: LanguageModelConfig, fold: Fold) -> frozenset[str]:
    """The patients that the checkpoint was trained on before. Raises StageError for test patients among them."""
    before = trained_on(config.checkpoint)
    if seen := scans_of(fold.whose(fold.test), before):
        raise StageError(
            f"{config.name}: {trained_on_tested(config.checkpoint, seen)}: start from another checkpoint, or split as "
            "it was split"
        )
    return before


def _tasks(context: Context, config: LanguageModelConfig) -> list[str]:
    """The tasks to train on: those of the study that the model is asked, all of them unless the entry chooses."""
    return [task for task in context.study.tasks if task in (finetune_settings(config).tasks or config.tasks)]


def examples_of(
    context: Context, config: LanguageModelConfig, settings: "FinetuneSettings", ids: Sequence[str]
) -> list["Example"]:
    """What a model learns from, or is validated on, of these patients."""
    from gliobench.training.finetune.examples import slice_examples

    subjects = [context.subjects[id] for id in ids]
    planes = settings.planes or context.study.slices.planes
    return slice_examples(
        subjects,
        _tasks(context, config),
        planes,
        every=settings.every,
        min_area_px=settings.min_area_px,
        trim=settings.trim,
    )


def answers_worth(predictions: Sequence[Prediction]) -> Mapping[str, float]:
    """What answers about validation slices are worth, by the study's own scoring.

    `task_...`: each task's first figure, the mean over patients and planes. `score`: their mean, a distance counted as
    what it lacks to the slice's diagonal, and any other error e as 1 / (1 + e), so that more is better of each.
    """
    from gliobench.scoring.registry import named

    figures = list(_figures(predictions))
    diagonal_mm = max(one.question.frame.diagonal_mm for one in predictions if one.question.frame is not None)
    worth = [_worth(named(metric), value, diagonal_mm) for _, metric, value in figures]
    return {"score": sum(worth) / len(worth), **{f"task_{task}_{metric}": value for task, metric, value in figures}}


def _worth(metric: "Metric", value: float, diagonal_mm: float) -> float:
    if not metric.lower_is_better:
        return value
    return max(1 - value / diagonal_mm, 0.0) if metric.unit == "mm" else 1 / (1 + value)


def _figures(predictions: Sequence[Prediction]) -> Iterator[tuple[str, str, float]]:
    """Task, metric and value of each task's first figure."""
    from gliobench.report.metrics import primary
    from gliobench.scoring.intervals import Bootstrap
    from gliobench.scoring.score import Item, score_subject
    from gliobench.scoring.summary import summarise

    items: dict[str, list[Item]] = {}
    subjects = {one.question.subject.id: one.question.subject for one in predictions}
    for one in predictions:
        item = Item("it", one.question.task, one.question.frame, one.answer, one.score, one.probabilities)
        items.setdefault(one.question.subject.id, []).append(item)
    scores = summarise((score_subject(subjects[id], own, {}) for id, own in items.items()), Bootstrap(resamples=2))
    table = scores.summary[(scores.summary["task"] == scores.summary["source"]) & (scores.summary["plane"] != "volume")]
    for task in table["task"].unique():
        own = table[table["task"] == task]
        values = {metric: float(group.mean()) for metric, group in own.groupby("metric")["value"]}
        metric = primary(task)[0]
        if math.isnan(values[metric]):  # a balanced accuracy, and all validation patients are of one grade
            metric = "accuracy"
        yield task, metric, values[metric]


def validation_figures(folder: Path) -> dict[str, float]:
    """By task, the first metric of the step kept, on its validation slices; nothing where it was chosen by its loss."""
    from gliobench.report.metrics import primary

    if not (folder / DESCRIPTION).is_file():
        return {}
    left = read_stage(folder / DESCRIPTION, "finetune", "figures")["figures"]
    named = {task: f"task_{task}_{primary(task)[0]}" for task in TASKS}
    return {task: float(left[key]) for task, key in named.items() if key in left}


def push(context: Context, folder: Path, repository: str) -> None:
    """Put what was trained onto the hub, into a private repository; not the file that names patients."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(repository, private=True, exist_ok=True)
    api.upload_folder(repo_id=repository, folder_path=folder, ignore_patterns=[DESCRIPTION, CHECKS, ".*", "steps/*"])
    context.voice.say(f"{folder} was uploaded to the Hub as {repository}")
