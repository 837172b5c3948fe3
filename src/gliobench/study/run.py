"""All stages in order."""

from collections.abc import Callable, Collection
from pathlib import Path

from gliobench.study.plan.missing import machine_lacking, not_on_this_machine
from gliobench.study.showing.report import report
from gliobench.study.stages.curve import curve
from gliobench.study.stages.finetune import check_engines, finetune
from gliobench.study.stages.predict import predict, refuse_unfit
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import score
from gliobench.study.stages.split import split
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context
from gliobench.study.state.lacking import lacking, refuse


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
    page = context.folder.report / "report.html"
    context.voice.say(f"report: {page}")
    return page
