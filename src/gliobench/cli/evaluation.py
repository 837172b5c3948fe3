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
from gliobench.cohort.problem import GLIOMA
from gliobench.tasks.coordinates import FAMILIES, named_convention


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of one or more runs.", show_default=False)],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Compare each model with this one only, instead of all pairs.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Only this metric, such as dice; may be repeated.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the whole table to this CSV file.")] = None,
) -> None:
    """Compare models, paired by patient: differences with interval, corrected p and minimum detectable difference.

    Example: `gliobench compare runs/brats --reference flair-blob --metric dice`
    """
    from gliobench.scoring.compare import compare_runs

    table = compare_runs(runs, reference, metrics=metric or None)
    for (task, plane, name), group in table.groupby(["task", "plane", "metric"], sort=False):
        typer.echo(f"{task}, {plane}: {name}")
        for row in group.itertuples():
            typer.echo(f"  {row.model_a} - {row.model_b}: {row.words}")
        typer.echo(f"  95 % intervals: {'; '.join(filter(None, dict.fromkeys(group['interval'])))}")
    if csv:
        table.to_csv(csv, index=False)
        typer.echo(f"whole table: {csv}")


def replay(
    answers: Annotated[Path, typer.Argument(help="Folder or file of raw answers.", show_default=False)],
    task: Annotated[
        str,
        typer.Option(
            "--task",
            help="The task that was asked: see `gliobench list tasks`.",
            callback=check_task,
            show_default=False,
        ),
    ],
    protocol: Annotated[
        ProtocolOption,
        typer.Option(
            "--protocol", help="`standard`: every question counts. `published`: the reference study's own protocol."
        ),
    ] = ProtocolOption.standard,
    plane: Annotated[
        PlaneOption, typer.Option("--plane", help="Plane of the slices, if the files do not name it.")
    ] = PlaneOption.axial,
    problem: Annotated[
        str,
        typer.Option(
            "--problem",
            help="What the answers are about: a name (`gliobench list problems`), or a study file with `problem:`.",
            metavar="NAME|FILE",
        ),
    ] = GLIOMA.name,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model. Default: that of the folder.")] = None,
    coordinates: Annotated[
        str,
        typer.Option(
            "--coordinates",
            help=f"How the model counts: {', '.join(FAMILIES)}, or ORDER,SCALE.",
            callback=check_convention,
        ),
    ] = "as-asked",
    store: Annotated[
        Path | None, typer.Option("--store", help="For a run's own answers: its prepared patients. Default: RUN/grid.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Also write the standard tables to this folder, for `gliobench compare`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the figures, as JSON to full precision.")] = False,
) -> None:
    """Score recorded answers, with intervals.

    Reads the reference study's text files, a table of one row per answer (JSON lines, CSV, Parquet), and the answers
    of a run (RUN/answers/MODEL.jsonl), with truths from the run's prepared patients.

    Example: `gliobench replay answers/centre --task centre --protocol both`

    Example: `gliobench replay answers.csv --task class --problem nodules`
    """
    from gliobench.replay.outcome import replay as replay_answers
    from gliobench.replay.outcome import score_external
    from gliobench.replay.printing import json_text, lines
    from gliobench.replay.tables import write_tables
    from gliobench.study.config.problem import read_problem
    from gliobench.study.replication.own_answers import read_own, run_of

    about = read_problem(problem)
    if run_of(answers) is None:
        convention = named_convention(coordinates)
        outcome = replay_answers(answers, task, protocol.value, plane.value, name, convention, about)
    else:
        if coordinates != "as-asked":
            raise typer.BadParameter("the study of a run sets the convention of its answers: leave out --coordinates")
        published = protocol.value != "standard"
        external = read_own(answers, task, plane.value, published=published, store=store, problem=about)
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
        str | None, typer.Option("--subject", help="Patient id, as in the cohort.", show_default=False)
    ] = None,
    all_patients: Annotated[
        bool, typer.Option("--all", help="All test patients on one page, with a gallery of slices.")
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
    """Draw truth and answers of a test patient in three dimensions, one PNG per model; with --all, of all of them.

    For a study file with `replay:`, from the answers that it names. --all resumes after interruption.

    Example: `gliobench outlines studies/brats.yaml --out runs/brats --subject BraTS20_Training_001 --model flair-blob`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.outlines import all_external_plates, write_external_figures
    from gliobench.study.showing.atlas import write_atlas
    from gliobench.study.showing.outlines import all_plates, write_figures

    if all_patients == (subject is not None):
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
    subject: Annotated[str, typer.Option("--subject", help="Patient id, as in the cohort.", show_default=False)],
    model: Annotated[str, typer.Option("--model", help="The model of the study.", show_default=False)],
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    replication: ReplicationFolder = None,
) -> None:
    """Print a model's answers about a test patient, slice by slice; classes with their tally and the true label.

    For a study file with `replay:`, from the answers that it names. Classes are printed in the reference study's
    format, which `gliobench replay` reads.

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
