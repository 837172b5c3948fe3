"""Set-up: what this machine has, what there is to choose from, and what a study would take."""

from pathlib import Path
from typing import Annotated

import typer

from gliobench.cli.context import open_context, terminal
from gliobench.cli.options import (
    CohortFolder,
    FoldOption,
    HardwareOption,
    Out,
    PhantomOption,
    ReplicationFolder,
    Store,
    StudyFile,
)


def doctor(
    nnunet: Annotated[
        Path | None,
        typer.Option("--nnunet", help="Also check whether this Python interpreter has nnU-Net.", show_default=False),
    ] = None,
) -> None:
    """Check this machine: versions, processors, memory, accelerators, and which optional parts are available.

    Example: `gliobench doctor`
    """
    from gliobench.doctor import examine

    for line in examine(nnunet):
        typer.echo(line)


def init(
    data: Annotated[
        Path, typer.Argument(help="Folder or table of your patients, however it is laid out.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for study.yaml, and cohort.csv where one is needed.")
    ] = Path(),
    class_: Annotated[
        str | None,
        typer.Option("--class", help="Column of the table that is the class. Default: by its name.", metavar="COLUMN"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files.")] = False,
) -> None:
    """Look at your data, say what they are taken for, and write a study file that can be run at once.

    Reads every voxel. Leaves the data as they are.

    Example: `gliobench init ~/my-patients --out studies/mine`
    """
    from gliobench.study.starting.init import init_study

    voice = terminal()
    study = init_study(data, out, wanted=class_, force=force, voice=voice)
    voice.say(f"Check the comments in it, then: gliobench run {study}")


def phantom(
    out: Annotated[
        Path,
        typer.Argument(help="Folder to write: gliomas in BraTS 2020's layout, nodules as a table.", show_default=False),
    ],
    subjects: Annotated[int, typer.Option("--subjects", min=1, help="Number of patients.")] = 16,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 0,
    timepoints: Annotated[
        int,
        typer.Option(
            "--timepoints", min=1, max=9, help="Scans per patient with a glioma, which grows from one to the next."
        ),
    ] = 1,
    problem: Annotated[
        PhantomOption, typer.Option("--problem", help="Gliomas on brain MRI, or lung nodules of three classes on CT.")
    ] = PhantomOption.glioma,
    healthy: Annotated[int, typer.Option("--healthy", min=0, help="Number of further patients without a nodule.")] = 0,
) -> None:
    """Make a cohort of synthetic patients (phantoms), to try everything without real data.

    Example: `gliobench phantom --subjects 16 --seed 0 phantoms`
    """
    from gliobench.cohort.phantom import write_phantom
    from gliobench.cohort.phantom.nodules import write_nodules

    nodules = problem is PhantomOption.nodules
    if nodules and timepoints > 1:
        raise typer.BadParameter("--timepoints is for --problem glioma")
    if healthy and not nodules:
        raise typer.BadParameter("--healthy is for --problem nodules")
    voice = terminal()
    with voice.bar("phantom", subjects + healthy) as advance:
        if nodules:
            write_nodules(out, subjects, seed, lambda done, total: advance(done, "patients"), healthy=healthy)
        else:
            write_phantom(out, subjects, seed, lambda done, total: advance(done, "patients"), timepoints=timepoints)
    scans = f" with {timepoints} scans each" if timepoints > 1 else ""
    voice.say(f"{subjects + healthy} phantom patients{scans}: {out}")


def list_(
    group: Annotated[
        str | None,
        typer.Argument(help="kinds, tasks, metrics, layouts, problems, networks, baselines, views or experimental."),
    ] = None,
) -> None:
    """List the available models, tasks, metrics and so on, one line each, with the package that provides them.

    Example: `gliobench list kinds`
    """
    from gliobench.study.catalogue import GROUPS, catalogue

    if group is not None and group not in GROUPS:
        raise typer.BadParameter(f"{group!r} is not one of {', '.join(GROUPS)}")
    for name in [group] if group else GROUPS:
        typer.echo(name)
        for entry in catalogue(name):
            typer.echo(f"  {entry.name:26} {entry.package:12} {entry.summary}")


def plan(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
    patients: Annotated[
        int | None, typer.Option("--patients", min=1, help="Number of patients to assume if no cohort is found.")
    ] = None,
    hardware: Annotated[
        HardwareOption, typer.Option("--hardware", help="GPU to estimate hours for, in addition to this machine.")
    ] = HardwareOption.a100,
    replication: ReplicationFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the plan, as JSON.")] = False,
) -> None:
    """Estimate what a study needs before it starts: questions, tokens, memory, disk, hours, cost, and what is missing.

    Runs no stage and writes nothing.

    Example: `gliobench plan studies/brats2020.yaml --cohort ~/BraTS2020`
    """
    from rich.console import Console

    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.config.study import StudyError
    from gliobench.study.plan.counts import NO_COHORT
    from gliobench.study.plan.make import make_plan
    from gliobench.study.plan.printing import plan_json, plan_tables
    from gliobench.study.state.lacking import check_external_files

    if is_replication(study):
        check_external_files(read_replication(study))
        raise StudyError(f"{study} only scores recorded answers: nothing to plan, no model is queried")
    context = open_context(study, cohort, out, store, fold=fold, nowhere=NO_COHORT)
    made = make_plan(context, patients=patients, there=hardware.value)
    if as_json:
        typer.echo(plan_json(made))
        return
    for part in plan_tables(made):
        Console().print(part)
