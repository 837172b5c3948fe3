"""Facts on models, how they learn and how they are asked."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from gliobench.study.asking import served
from gliobench.study.asking.aggregate import aggregation_notes
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.neutral import worded
from gliobench.study.showing.facts.run import Run, sentences
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS, task_words

TRAINING = {"train", "finetune", "sweep", "sweep_test", "start", "log"}
DECODING = {"temperature", "top_p", "top_k", "min_p", "max_new_tokens", "seed", "prompts", "shots"}


def models(run: Run) -> str:
    """Every model with its kind and what its entry says, without how it learns and answers."""
    return sentences(
        f"{config.name}: {config.kind}{_settings(run, config, leave=TRAINING | DECODING)}"
        for config in run.context.study.models
    )


def checkpoints(run: Run) -> str:
    """The checkpoints that models come from; the others start from random weights."""
    found = [(config.name, source) for config in run.context.study.models if (source := config.checkpoint_source)]
    return sentences(
        f"{name}: {checkpoint}, revision {revision or 'not pinned'}" for name, (checkpoint, revision) in found
    )


def training(run: Run) -> str:
    """How models learn here, as far as the study file departs from the defaults."""
    return sentences(
        f"{config.name}: learns here{_settings(run, config, only=TRAINING) or ', all settings as by default'}"
        for config in run.context.study.models
        if config.verb
    )


def tuning(run: Run) -> str:
    """How language models are fine-tuned; that none is, where there are language models."""
    tuned = [config for config in run.context.study.models if config.verb == "finetune"]
    if not tuned:
        return "No language model was tuned." if _spoken(run) else ""
    return sentences(f"{config.name}: fine-tuned{_settings(run, config, only=TRAINING)}" for config in tuned)


def selection(run: Run) -> str:
    """On whom models were selected."""
    if not any(config.verb or config.calibrated for config in run.context.study.models):
        return ""
    return (
        "Epochs, settings of a sweep and operating points are chosen on validation patients; no model is trained or "
        "selected on a test patient."
    )


def ensemble(run: Run) -> str:
    """Which models answer together."""
    study, folds = run.context.study, len(run.context.folds)
    averaged = folds > 1 and not run.context.split.crossed and any(config.trains for config in study.models)
    joined = (
        (config.name, ", ".join(one.name for one in members))
        for config in study.models
        if (members := config.members(study))
    )
    return sentences(
        [
            f"Each network stands for {folds}, one per fold, whose probabilities are averaged" if averaged else "",
            *(f"{name}: {members} together" for name, members in joined),
        ]
    )


def prompts(run: Run) -> str:
    """By language model and task, which prompt is put, and examples beside it."""
    return sentences(
        f"{config.name}: {', '.join(_prompts(run, config))}, {_settings(run, config, only={'shots'}) or 'no examples'}"
        for config in _spoken(run)
    )


def _prompts(run: Run, config: ModelConfig) -> Iterator[str]:
    own = config.prompts_of(run.context.study.asked_region)
    for task in _tasks(run, config):
        prompt = own.get(task, TASKS[task].prompt)
        yield f"{task_words(task, run.contents.problem)} by prompt {prompt.name}, version {prompt.version[:12]}"


def decoding(run: Run) -> str:
    """By language model, how its answers are drawn."""
    return sentences(
        f"{config.name}: "
        + ", ".join(f"{task_words(task, run.contents.problem)} {config.sampling_words(task)}" for task in own)
        + _settings(run, config, only={"max_new_tokens"})
        for config in _spoken(run)
        if (own := _tasks(run, config))
    )


def dates(run: Run) -> str:
    """When each model answered, and as which model its server says it did."""
    return sentences(["; ".join(served.dates(run.context))])


def changed(run: Run) -> str:
    """Models that their server changed during the run."""
    return sentences(served.changed_models(run.context))


def told(run: Run) -> str:
    """What models are told of the patient beside the images."""
    return sentences(note for note in run.contents.notes if "told " in note)


def outputs(run: Run) -> str:
    """What becomes of an answer."""
    return (
        "Each answer is kept as answered, malformed, refused, truncated or missing; a strict parser reads text, and "
        "what it cannot read is never guessed. Answers become geometry in the patient's space, or a class."
    )


def thresholds(run: Run) -> str:
    """How probabilities become classes."""
    problem = run.contents.problem
    if not problem.classes or GRADE.name not in run.context.study.tasks:
        return ""
    learnt = [config.name for config in run.context.study.models if config.calibrated]
    how = "one temperature, and the most probable class" if problem.several else "Platt scaling with its threshold"
    return sentences(
        [
            f"{', '.join(learnt)}: {how}, learned from validation patients where these are enough" if learnt else "",
            *aggregation_notes(run.context),
        ]
    )


def _spoken(run: Run) -> list[ModelConfig]:
    return [config for config in run.context.study.models if config.spoken_tasks]


def _tasks(run: Run, config: ModelConfig) -> list[str]:
    return [task for task in run.context.study.tasks if task in config.spoken_tasks]


def _settings(run: Run, config: ModelConfig, leave: Iterable[str] = (), only: Iterable[str] | None = None) -> str:
    """`, key value` for what an entry sets."""
    found: dict[str, Any] = config.model_dump(mode="json", exclude_defaults=True, exclude={"kind", "name", *leave})
    kept = {key: value for key, value in found.items() if only is None or key in only}
    said = worded(kept, run.contents.problem)
    return "".join(f", {key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in said.items())


FACTS = (
    *(models, checkpoints, training, tuning, selection, ensemble),
    *(prompts, decoding, dates, changed, told, outputs, thresholds),
)
