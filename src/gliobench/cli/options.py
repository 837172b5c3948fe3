"""Options that several commands share, and the values that they take."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gliobench.study.parts.paths import REPLICATION
from gliobench.study.parts.stage import Shard
from gliobench.tasks.coordinates import named_convention


def _set_replication(folder: Path | None) -> Path | None:
    """Set what `${GLIOBENCH_REPLICATION}` stands for in the study file that is read next."""
    if folder is not None:
        os.environ[REPLICATION] = str(folder)
    return folder


StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).", show_default=False)]
CohortFolder = Annotated[
    Path | None,
    typer.Option("--cohort", help="Folder or table of patients; its layout is detected. Default: the study file's."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Output folder. Default: runs/STUDY_NAME.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of prepared patients; several studies may share it. Default: OUT/grid."),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Skip invalid patients; the report names them.")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        help="Number of threads that prepare patients, and of processes that train for learning curves.",
    ),
]
JobWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Run jobs (see `gliobench jobs`) in processes of their own, so many side by side, and share a model's "
        "questions among as many. Default: one stage after the other in this process.",
        show_default=False,
    ),
]
Cpus = Annotated[int, typer.Option("--cpus", min=1, help="Processor threads per job.")]
FoldOption = Annotated[
    str | None,
    typer.Option("--fold", help="`all`, or the number of one fold, from 0. Default: the study file's.", metavar="K"),
]
ReplicationFolder = Annotated[
    Path | None,
    typer.Option(
        "--replication",
        help="Folder of the reference study's raw answers (its public repository); study files refer to it as "
        "`${GLIOBENCH_REPLICATION}`.",
        envvar="GLIOBENCH_REPLICATION",
        callback=_set_replication,
        show_default=False,
    ),
]
Names = Annotated[list[str] | None, typer.Option("--model", help="Only this model of the study; may be repeated.")]


class ProtocolOption(StrEnum):
    """Scoring protocols."""

    standard = "standard"
    published = "published"
    both = "both"


class FormatOption(StrEnum):
    """Tools that can fine-tune on the conversations."""

    trl = "trl"
    llamafactory = "llamafactory"
    unsloth = "unsloth"


class PlaneOption(StrEnum):
    """Slice planes."""

    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


def check_convention(text: str) -> str:
    """Return `text` if it names a coordinate convention."""
    try:
        named_convention(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def as_shard(text: str | None) -> Shard | None:
    """The shard that `--shard 2/4` names."""
    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise typer.BadParameter(f"--shard {text}: expected a part and the number of parts, such as 2/4")
    return Shard(int(number), int(of))


def check_task(name: str) -> str:
    """Return the name by which a task is kept, if recorded texts can be scored on it."""
    from gliobench.tasks.names import task_name
    from gliobench.tasks.registry import in_words

    kept = str(task_name(name))
    if kept not in in_words():
        raise typer.BadParameter(
            f"recorded texts cannot be scored on task {name!r}; expected one of {', '.join(in_words())}"
        )
    return kept


class HardwareOption(StrEnum):
    """The GPUs whose speed is known."""

    t4 = "t4"
    l4 = "l4"
    a100 = "a100"
    h100 = "h100"


class OnOption(StrEnum):
    """Where jobs run."""

    local = "local"
    slurm = "slurm"
    ray = "ray"


class PhantomOption(StrEnum):
    """The problems that there are phantoms of."""

    glioma = "glioma"
    nodules = "nodules"
