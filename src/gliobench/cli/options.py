"""Options that several commands share, and the values that they take."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gliobench.study.parts.paths import REPLICATION
from gliobench.tasks.coordinates import named_convention


def _set_replication(folder: Path | None) -> Path | None:
    """What `${GLIOBENCH_REPLICATION}` stands for in the study file that is read next."""
    if folder is not None:
        os.environ[REPLICATION] = str(folder)
    return folder


StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).", show_default=False)]
CohortFolder = Annotated[
    Path | None,
    typer.Option("--cohort", help="Folder or table of patients; the layout is recognised. Default: the study's own."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Where everything goes. Default: runs/STUDY_NAME.")]
Store = Annotated[
    Path | None, typer.Option("--store", help="Where prepared patients are kept; may be shared. Default: OUT/grid.")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without the patients at fault; the report names them.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Threads that prepare patients.")]
FoldOption = Annotated[
    str | None,
    typer.Option(
        "--fold", help="`all`, or the number of one fold, from 0. Default: what the study file says.", metavar="K"
    ),
]
ReplicationFolder = Annotated[
    Path | None,
    typer.Option(
        "--replication",
        help="Folder of the reference study's raw answers: its public repository. A study file names it "
        "`${GLIOBENCH_REPLICATION}`.",
        envvar="GLIOBENCH_REPLICATION",
        callback=_set_replication,
        show_default=False,
    ),
]
Names = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model of the study; may be given several times.")
]


class ProtocolOption(StrEnum):
    """How answers are scored."""

    standard = "standard"
    published = "published"
    both = "both"


class FormatOption(StrEnum):
    """Whose fine-tuning takes the conversations."""

    trl = "trl"
    llamafactory = "llamafactory"
    unsloth = "unsloth"


class PlaneOption(StrEnum):
    """The plane of the slices."""

    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


def check_convention(text: str) -> str:
    """`text`, where it names a coordinate convention."""
    try:
        named_convention(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def check_task(name: str) -> str:
    """`name`, where recorded texts to this task can be scored."""
    from gliobench.tasks.registry import in_words

    if name not in in_words():
        raise typer.BadParameter(
            f"no recorded texts to a task {name!r} are scored; expected one of {', '.join(in_words())}"
        )
    return name


class HardwareOption(StrEnum):
    """The GPUs whose speed is known."""

    t4 = "t4"
    l4 = "l4"
    a100 = "a100"
    h100 = "h100"
