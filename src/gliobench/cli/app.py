"""The `gliobench` command: its subcommands, in the order of `--help`, and its entry point."""

import os
import sys

import typer

from gliobench.cli.all_stages import jobs, repair, run
from gliobench.cli.evaluation import answers, compare, outlines, replay
from gliobench.cli.paper import checklist, tables
from gliobench.cli.setup import doctor, init, list_, phantom, plan
from gliobench.cli.sites import export, merge
from gliobench.cli.stages import (
    conversations,
    curve,
    finetune,
    look,
    predict,
    prepare,
    questions,
    report,
    score,
    seeds,
    sensitivity,
    split,
    train,
)

PANELS = {
    "Set up": (doctor, init, phantom, list_, plan),
    "Stages of a study, in order": (
        *(
            prepare,
            look,
            split,
            train,
            finetune,
            predict,
            questions,
            conversations,
            score,
            curve,
            seeds,
            sensitivity,
            report,
        ),
    ),
    "All stages": (jobs, run, repair),
    "Evaluation": (compare, replay, outlines, answers),
    "Several hospitals": (export, merge),
    "For a paper": (checklist, tables),
}

app = typer.Typer(
    name="gliobench",
    help="Vision-language model, fine-tuned or not, or a specialised 3D network: which should I use on my own "
    "3D medical images, and is the difference real?\n\n"
    "Start with `gliobench run studies/quick.yaml --cohort FOLDER --out runs/first`. Every stage can also be run "
    "alone: it continues from the stage before it, and is skipped if its inputs have not changed. "
    "For research use only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, commands in PANELS.items():
    for command in commands:
        app.command(command.__name__.strip("_"), rich_help_panel=panel)(command)


def main() -> None:
    """Entry point: a person's mistake ends in one message and exit status 2, a bug in a traceback."""
    # Read by OpenMP when torch is first imported: waiting threads sleep, or two busy processes stall each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from gliobench.errors import GliobenchError, printable

    try:
        app()
    except GliobenchError as error:
        typer.echo(printable(f"gliobench: {error}"), err=True)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written: nothing that the program did wrong
        named = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        typer.echo(printable(f"gliobench: {named + ': ' if named else ''}{error.strerror or error}"), err=True)
        sys.exit(2)
