"""What goes into a paper: reporting checklists and tables."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FormOption(StrEnum):
    """The reporting checklists."""

    claim = "claim"
    refine = "refine"
    stard_ai = "stard-ai"
    tripod_llm = "tripod-llm"


class TableOption(StrEnum):
    """The formats of tables."""

    latex = "latex"
    markdown = "markdown"


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


def tables(
    run: RunFolder,
    form: Annotated[
        TableOption, typer.Option("--format", help="`latex` needs the package booktabs.")
    ] = TableOption.markdown,
    out: TextFile = None,
) -> None:
    """Write the first metrics of each task as tables for a paper, with their conditions in the captions.

    Example: `gliobench tables runs/brats --format latex --out tables.tex`
    """
    from gliobench.report.paper import read_tables
    from gliobench.report.paper_tables import as_latex, as_markdown

    write = {TableOption.latex: as_latex, TableOption.markdown: as_markdown}[form]
    _give("\n\n".join(map(write, read_tables(run))), out)


def _give(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"{out}")
