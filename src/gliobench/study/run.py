"""All stages in order."""

from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path

from gliobench.study.parts.stage import Stage
from gliobench.study.plan.missing import machine_lacking, not_on_this_machine
from gliobench.study.showing.report import report
from gliobench.study.stages.curve import curve
from gliobench.study.stages.finetune import check_engines, finetune
from gliobench.study.stages.predict import predict, refuse_unfit
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import score
from gliobench.study.stages.seeds import seeds
from gliobench.study.stages.sensitivity import sensitivity
from gliobench.study.stages.split import split
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context
from gliobench.study.state.lacking import lacking, refuse

LONGEST = 8  # stages that are listed with their time


def learn(context: Context, names: Collection[str] | None = None) -> None:
    """Train the networks of the study, or only those named.

    Those that look where another model found the tumour come last, when that model has answered.
    """
    networks = [config for config in context.study.models if config.trains]
    wait = {config.name: config.masks_by for config in networks if config.masks_by}
    wanted = [config.name for config in networks] if names is None else list(names)
    train(context, [name for name in wanted if name not in wait])
    if later := [name for name in wanted if name in wait]:
        predict(context, {wait[name] for name in later})
        train(context, later)


STAGES: dict[str, Callable[[Context], object]] = {
    "prepare": prepare,
    "split": split,
    "train": learn,
    "finetune": finetune,
    "predict": predict,
    "score": score,
    "curve": curve,
    "seeds": seeds,
    "sensitivity": sensitivity,
    "report": report,
}


def run_stages(context: Context) -> Path:
    """Do every stage that is not done yet; returns the path of the report."""
    check_engines(context)
    refuse([*lacking(context.study, context.cohort), *not_on_this_machine(context), *machine_lacking(context)])
    for name, stage in STAGES.items():
        stage(context)
        if name == "split":
            refuse_unfit(context)
    context.voice.say(_where_time_went(context))
    page = context.folder.report / "report.html"
    context.voice.say(f"report: {page}")
    return page


def _where_time_went(context: Context) -> str:
    """The stages by the time that they took, now or when they were done: a verb's folds of one model together."""
    took: dict[str, float] = {}
    for stage, seconds in context.took.items():
        name = str(Stage(stage.verb, stage.model))
        took[name] = took.get(name, 0.0) + seconds
    counted = [one for one in took.items() if one[1] >= 1.0]
    longest = sorted(counted, key=lambda one: -one[1])[:LONGEST]
    rest = sum(took.values()) - sum(seconds for _, seconds in longest)
    rows = [*longest, *([("all others", rest)] if rest >= 1.0 else []), ("together", sum(took.values()))]
    lines = (f"  {name:40} {timedelta(seconds=round(seconds))!s:>8}" for name, seconds in rows)
    return "\n".join(("where the time went (hours:minutes:seconds)", *lines))
