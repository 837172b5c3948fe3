"""A study as far as its figures."""

from gliobench.study.run import STAGES
from gliobench.study.state.context import Context


def run_to_scores(context: Context) -> None:
    """All stages but the report, whose drawings take seconds."""
    for name, stage in STAGES.items():
        if name != "report":
            stage(context)
