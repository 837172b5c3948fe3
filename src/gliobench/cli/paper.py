"""What goes into a paper: reporting checklists."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FormOption(StrEnum):
    """The reporting checklists."""

    claim = "claim"
    stard_ai = "stard-ai"
    tripod_llm = "tripod-llm"


RunFolder = Annotated[Path, typer.Argument(help="Output folder of a run.", show_default=False)]
TextFile = Annotated[
    Path | None, typer.Option("--out", help="File to write. Default: the terminal.", show_default=False)
]


def checklist(
    run: RunFolder,
    form: Annotated[FormOption, typer.Option("--form", help="The checklist to fill in.", show_default=False)],
    out: TextFile = None,
) -> None:
    """Fill in a reporting checklist from a run (Markdown), and name what the authors have to add.

    Example: `gliobench checklist runs/brats --form claim --out claim.md`
    """
    from gliobench.report.checklist import fill, read_form
    from gliobench.report.paper import read_facts

    _give(fill(read_form(form.value), read_facts(run)), out)


def _give(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"{out}")
