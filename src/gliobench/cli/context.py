"""What a command passes to a stage: the study with its folders, and a terminal to print to."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gliobench.study.state.context import Context
    from gliobench.study.state.progress import Terminal


def terminal() -> "Terminal":
    from rich.console import Console

    from gliobench.study.state.progress import Terminal

    return Terminal(Console())


def open_context(
    study: Path,
    cohort: Path | None,
    out: Path | None,
    store: Path | None,
    skip_bad: bool = False,
    workers: int = 2,
    fold: str | None = None,
    nowhere: Path | None = None,
) -> "Context":
    from gliobench.study.config.study import read_study, with_fold
    from gliobench.study.state.context import make_context

    found = with_fold(read_study(study), fold)
    return make_context(
        found,
        nowhere=nowhere,
        cohort=cohort,
        out=out,
        store=store,
        skip_bad=skip_bad,
        workers=workers,
        voice=terminal(),
    )


def checked(context: "Context", *, opens_cohort: bool = False) -> "Context":
    """Return the context if all that its study names is there, except answers yet to come; else raise `StudyError`."""
    from gliobench.study.state.lacking import lacking, refuse

    refuse(lacking(context.study, context.cohort if opens_cohort else None, answered=False))
    return context
