"""Several hospitals: what may leave one, and one report of all."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="Output folder of a run that is scored.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option("--out", help="New file (`.zip`) or folder for what may leave the hospital.", show_default=False),
    ],
    without_images: Annotated[
        bool,
        typer.Option("--without-images", help="Required: the only kind of export there is."),
    ] = False,
    with_texts: Annotated[
        bool,
        typer.Option("--with-texts", help="Also what models wrote. Read it first: a text may hold anything."),
    ] = False,
) -> None:
    """Export a run's figures and answers, patient by patient, for `gliobench merge` elsewhere.

    Without images, masks, dates and paths. Patients' ids are hashed with a key that stays in the run folder
    (RUN/export.salt). Nothing is written if an id, a path or, in texts, a date is found in it. See docs/merging.md.

    Example: `gliobench export runs/brats --without-images --out hospital-a.zip`
    """
    from gliobench.study.sites.export import export_run

    if not without_images:
        raise typer.BadParameter("give --without-images: images and masks are never exported")
    typer.echo(export_run(run, out, texts=with_texts))


def merge(
    exports: Annotated[
        list[Path], typer.Argument(help="Two or more exports, one per site (`gliobench export`).", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Output folder.", show_default=False)],
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Name of a site, once per export and in their order. Default: the files' names."),
    ] = None,
) -> None:
    """Merge the exports of several sites into one report: pooled figures, paired comparisons, a row per site.

    Refuses exports that were asked different questions or are scored with different code, and patients given twice.
    `gliobench compare OUT` compares the models on all patients.

    Example: `gliobench merge hospital-a.zip hospital-b.zip --name Aachen --name Bern --out runs/both`
    """
    from gliobench.study.sites.merge import merge_exports

    names = name or [path.stem for path in exports]
    if len(exports) < 2:
        raise typer.BadParameter("give two exports or more")
    if len(names) != len(exports):
        raise typer.BadParameter(f"{len(exports)} exports and {len(names)} names: give --name once per export")
    if len(set(names)) < len(names) or any("/" in one or not one.strip() for one in names):
        raise typer.BadParameter(f"sites {', '.join(names)}: give each a --name of its own, without a slash")
    typer.echo(f"report: {merge_exports(exports, names, out)}")
