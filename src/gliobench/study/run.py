"""All stages in order."""

from collections.abc import Callable
from pathlib import Path

from gliobench.study.context import Context
from gliobench.study.finetune import finetune
from gliobench.study.predict import predict
from gliobench.study.prepare import prepare
from gliobench.study.report import report
from gliobench.study.score import score
from gliobench.study.split import split
from gliobench.study.train import train

STAGES: dict[str, Callable[[Context], object]] = {
    "prepare": prepare,
    "split": split,
    "train": train,
    "finetune": finetune,
    "predict": predict,
    "score": score,
    "report": report,
}


def run_stages(context: Context) -> Path:
    """Do every stage that is not done yet; returns the path of the report."""
    for stage in STAGES.values():
        stage(context)
    page = context.folder.report / "report.html"
    context.voice.say(f"report: {page}")
    return page
