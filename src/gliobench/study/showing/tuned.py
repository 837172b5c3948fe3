"""Language models of a study that share a checkpoint, with the settings that each was fine-tuned with, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from gliobench.models.language.finetuned import DESCRIPTION
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.stages.finetune import finetune_settings, finetuned_folds
from gliobench.study.state.context import Context, read_stage
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.grade import GRADE
from gliobench.tasks.polygon import POLYGON
from gliobench.tasks.registry import TASKS, task_words

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.report.contents import PartFigure, Setting, Settings

# The figures that the reference study prints of slice-by-slice answers, and the first ones of each task that it asked.
METRICS = {
    GRADE.name: ("balanced_accuracy", "accuracy", "f1", "precision", "recall", "specificity"),
    CENTRE.name: ("distance_to_centre_mm", "in_box"),
    BOX.name: ("dice", "precision", "recall", "specificity"),
    POLYGON.name: ("dice", "precision", "recall", "specificity"),
}
FIRST = ("learning_rate", "steps taken", "step kept")  # columns of every table, whether they differ or not
NOT_SETTINGS = {"kind", "name", "camp", "checkpoint", "tasks", "finetune", *LanguageModelConfig.OPERATION}
WORDS = (
    "Models of one checkpoint, with their fine-tuning settings. Validation figures are of the step that was kept, on "
    "the validation slices that selected it; a model that was trained on validation patients too has none. Every "
    "model here was asked about the test patients: to select one by these columns is to select on the test set."
)


def tuned_settings(context: Context, summary: "pd.DataFrame") -> Iterator["Settings"]:
    """A table for each checkpoint and task that several models share, of whom one was fine-tuned at least."""
    from gliobench.report.contents import Settings

    parts = [config.language for config in context.study.models if config.language is not None]
    for checkpoint in dict.fromkeys(config.checkpoint for config in parts):
        for task in context.study.tasks:
            own = [config for config in parts if config.checkpoint == checkpoint and task in config.tasks]
            if len(own) > 1 and any(config.finetuned for config in own):
                title = f"Models of {checkpoint} beside each other: {task_words(task, context.study.problem)}"
                yield Settings(title, WORDS, list(chain.from_iterable(_tried(context, own, task, summary))))


def _tried(
    context: Context, parts: Sequence[LanguageModelConfig], task: str, summary: "pd.DataFrame"
) -> Iterator[Iterator["Setting"]]:
    said = [_said(context, config) for config in parts]
    keys = list(dict.fromkeys(key for one in said for key in one))
    shown = [key for key in keys if key in FIRST or len({str(one[key]) for one in said if key in one}) > 1]
    ordered = [*(key for key in FIRST if key in shown), *(key for key in shown if key not in FIRST)]
    for config, one in zip(parts, said, strict=True):
        yield _by_plane(context, config, {key: one[key] for key in ordered if key in one}, task, summary)


def _said(context: Context, config: LanguageModelConfig) -> dict[str, Any]:
    """What an entry says of how it is asked and of how it learnt, and how many steps that took."""
    said = {key: value for key, value in config.model_dump(mode="json").items() if key not in NOT_SETTINGS}
    if not config.finetuned:
        return said
    left = _left(context, config)
    taken = {"steps taken": [one["steps"] for one in left], "step kept": [one["best_step"] for one in left]}
    learnt = {key: value for key, value in asdict(finetune_settings(config)).items() if key not in ("steps", "tasks")}
    return {**said, **learnt, **taken}


def _left(context: Context, config: LanguageModelConfig) -> list[dict[str, Any]]:
    folders = [context.folder.network(config.name, number) for number, _ in finetuned_folds(context)]
    return [read_stage(one / DESCRIPTION, "finetune", "steps", "best_step", "figures") for one in folders]


def _by_plane(
    context: Context, config: LanguageModelConfig, settings: Mapping[str, Any], task: str, summary: "pd.DataFrame"
) -> Iterator["Setting"]:
    from gliobench.report.contents import Setting
    from gliobench.report.settings import scored_figures

    own = summary[(summary["model"] == config.name) & (summary["task"] == task) & (summary["source"] == task)]
    planes = [plane for plane in context.study.slices.planes if plane in set(own["plane"])]
    for plane in planes:
        test = scored_figures(summary, config.name, task, plane, METRICS.get(task, TASKS[task].primary))
        figures = {"validation": _validation(context, config), "test": test}
        name = config.name if len(context.study.slices.planes) == 1 else f"{config.name}, {plane}"
        yield Setting(name, settings, figures, note="" if config.finetuned else "not fine-tuned")


def _validation(context: Context, config: LanguageModelConfig) -> dict[str, "PartFigure"]:
    """Loss and score of the step kept; nothing where several folds were fine-tuned, whose figures are several."""
    from gliobench.report.contents import PartFigure

    left = _left(context, config) if config.finetuned else []
    if len(left) != 1:
        return {}
    return {name: PartFigure(left[0]["figures"][name]) for name in ("loss", "score") if name in left[0]["figures"]}
