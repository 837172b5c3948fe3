"""Evaluation: comparing models, scoring recorded answers, drawing and printing answers."""

from pathlib import Path
from typing import Annotated

import typer

from gliobench.cli.context import open_context, terminal
from gliobench.cli.options import (
    CohortFolder,
    Names,
    Out,
    PlaneOption,
    ProtocolOption,
    ReplicationFolder,
    Store,
    StudyFile,
    check_convention,
    check_task,
)
from gliobench.tasks.coordinates import FAMILIES, named_convention


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of one or more runs.", show_default=False)],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Compare every other model with this one only.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Only this metric, such as dice; may be given several times.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the whole table here.")] = None,
) -> None:
    """Say whether models differ: paired by patient, with interval, corrected p, and what could have been shown.

    Example: `gliobench compare runs/brats --reference flair-blob --metric dice`
    """
    from gliobench.scoring.compare import compare_runs

    table = compare_runs(runs, reference, metrics=metric or None)
    for (task, plane, name), group in table.groupby(["task", "plane", "metric"], sort=False):
        typer.echo(f"{task}, {plane}: {name}")
        for row in group.itertuples():
            typer.echo(f"  {row.model_a} - {row.model_b}: {row.words}")
    if csv:
        table.to_csv(csv, index=False)
        typer.echo(f"the whole table: {csv}")


def replay(
    answers: Annotated[Path, typer.Argument(help="Folder or file of raw answers.", show_default=False)],
    task: Annotated[
        str,
        typer.Option(
            "--task", help="What was asked: see `gliobench list tasks`.", callback=check_task, show_default=False
        ),
    ],
    protocol: Annotated[
        ProtocolOption,
        typer.Option("--protocol", help="`standard`: every question counts. `published`: the reference study's own."),
    ] = ProtocolOption.standard,
    plane: Annotated[PlaneOption, typer.Option("--plane", help="Where the files do not say it.")] = PlaneOption.axial,
    name: Annotated[str | None, typer.Option("--name", help="The model's name. Default: the folder's.")] = None,
    coordinates: Annotated[
        str,
        typer.Option(
            "--coordinates",
            help=f"How the model counts: {', '.join(FAMILIES)}, or ORDER,SCALE.",
            callback=check_convention,
        ),
    ] = "as-asked",
    store: Annotated[
        Path | None, typer.Option("--store", help="Of a run's own answers: its prepared patients. Default: RUN/grid.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the standard tables here, for `gliobench compare`.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures to full precision on standard output, and nothing else.")
    ] = False,
) -> None:
    """Score answers that somebody holds, and say what the figures are worth.

    Reads the reference study's text files, a table of one row an answer (JSON lines, CSV, Parquet), and what a run
    was answered (RUN/answers/MODEL.jsonl), with truths from the run's prepared patients.

    Example: `gliobench replay answers/centre --task centre --protocol both`
    """
    from gliobench.replay.outcome import replay as replay_answers
    from gliobench.replay.outcome import score_external
    from gliobench.replay.printing import json_text, lines
    from gliobench.replay.tables import write_tables
    from gliobench.study.replication.own_answers import read_own, run_of

    if run_of(answers) is None:
        convention = named_convention(coordinates)
        outcome = replay_answers(answers, task, protocol.value, plane.value, name, convention)
    else:
        if coordinates != "as-asked":
            raise typer.BadParameter("a run's own answers were read as its study says: leave out --coordinates")
        external = read_own(answers, task, plane.value, published=protocol.value != "standard", store=store)
        outcome = score_external(external, name or answers.stem, protocol.value)
    if out:
        write_tables(outcome, out)
    if as_json:
        typer.echo(json_text(outcome))
        return
    for line in lines(outcome):
        typer.echo(line)


def outlines(
    study: StudyFile,
    subject: Annotated[
        str | None, typer.Option("--subject", help="The patient, as the cohort names it.", show_default=False)
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Every test patient, with a gallery of slices, on one page.")
    ] = False,
    model: Names = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for the figures. Default: OUT/outlines.", show_default=False)
    ] = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    replication: ReplicationFolder = None,
) -> None:
    """Draw a test patient's truth and the models' answers in three dimensions, one PNG a model; with --all, everybody.

    A study file with `replay:` is drawn from the answers that it names. Killed, --all goes on where it was.

    Example: `gliobench outlines studies/brats.yaml --out runs/brats --subject BraTS20_Training_001 --model flair-blob`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.outlines import all_external_plates, write_external_figures
    from gliobench.study.showing.atlas import write_atlas
    from gliobench.study.showing.outlines import all_plates, write_figures

    if everybody == (subject is not None):
        raise typer.BadParameter("give either --subject PATIENT or --all")
    if is_replication(study):
        external = read_replication(study)
        folder = to or (out or Path("runs") / external.name) / "outlines"
        if subject is None:
            paths = [write_atlas(*all_external_plates(external, model), external.title, folder, terminal())]
        else:
            paths = write_external_figures(external, subject, model, folder)
    else:
        context = open_context(study, cohort, out, store)
        folder = to or context.folder.root / "outlines"
        if subject is None:
            paths = [write_atlas(*all_plates(context, model), context.study.name, folder, context.voice)]
        else:
            paths = write_figures(context, subject, model, folder)
    for path in paths:
        typer.echo(f"{path}")


def answers(
    study: StudyFile,
    subject: Annotated[str, typer.Option("--subject", help="The patient, as the cohort names it.", show_default=False)],
    model: Annotated[str, typer.Option("--model", help="The model of the study.", show_default=False)],
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    replication: ReplicationFolder = None,
) -> None:
    """Print what a model said about a test patient, slice by slice; grades with their tally and the true label.

    A study file with `replay:` is printed from the answers that it names. Grades are printed as the reference study
    prints them, and `gliobench replay` reads them.

    Example: `gliobench answers studies/brats.yaml --out runs/brats --subject BraTS20_Training_001 --model flair-blob`
    """
    from gliobench.report.samples import sample_lines
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.samples import external_sample
    from gliobench.study.showing.samples import samples

    if is_replication(study):
        found = [external_sample(read_replication(study), subject, model)]
    else:
        found = list(samples(open_context(study, cohort, out, store), subject, model))
    for sample in found:
        for line in sample_lines(sample):
            typer.echo(line)
