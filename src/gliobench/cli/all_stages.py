"""All stages at once, and the repair of a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from gliobench.cli.context import open_context, terminal
from gliobench.cli.options import (
    CohortFolder,
    Cpus,
    FoldOption,
    JobWorkers,
    OnOption,
    Out,
    ReplicationFolder,
    SkipBad,
    Store,
    StudyFile,
)

STAGE_WORKERS = 2  # threads that prepare, processes of a learning curve, where stages are done in this process


def run(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    skip_bad: SkipBad = False,
    workers: JobWorkers = None,
    cpus: Cpus = 1,
    fold: FoldOption = None,
    replication: ReplicationFolder = None,
    on: Annotated[
        OnOption,
        typer.Option("--on", help="Where jobs run; on slurm and ray `--workers` share a model's questions."),
    ] = OnOption.local,
    partition: Annotated[str | None, typer.Option("--partition", help="Slurm: of every job.")] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="Slurm: limit of every job, such as 2:00:00; longer work is requeued.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="Slurm: YAML file of a site's options (docs/cluster.md).")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Ray: of a cluster, or `auto`. Default: a Ray of this machine, for this run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Slurm: write the scripts to OUT/jobs and stop.")] = False,
) -> None:
    """Run all stages: prepare, split, train, finetune, predict, score, curve, report. Resumes after interruption.

    A study file with `replay:` scores recorded answers, and needs no cohort. With `--workers` folds and models are
    trained and asked side by side; the same `--cpus` gives the same scores, however many workers there are.

    Example: `gliobench run studies/brats.yaml --cohort ~/BraTS2020 --out runs/brats`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.jobs.command import Commands
    from gliobench.study.jobs.profile import read_profile
    from gliobench.study.jobs.run import run_here, run_on_slurm, run_through_ray
    from gliobench.study.replication.run import run_replication
    from gliobench.study.run import run_stages

    if is_replication(study):
        external = read_replication(study)
        run_replication(external, out or Path("runs") / external.name, terminal())
        return
    context = open_context(study, cohort, out, store, skip_bad, workers or STAGE_WORKERS, fold)
    commands = Commands(study, context, fold, workers or 1)
    if on is not OnOption.slurm and (partition or time or profile or dry_run):
        raise typer.BadParameter("--partition, --time, --profile and --dry-run go with --on slurm")
    if on is not OnOption.ray and address:
        raise typer.BadParameter("--address goes with --on ray")
    if on is OnOption.slurm:
        run_on_slurm(commands, read_profile(profile, partition, time), workers or 1, cpus, dry=dry_run)
    elif on is OnOption.ray:
        run_through_ray(commands, address, workers or 1, cpus)
    elif workers is None:
        run_stages(context)
    else:
        run_here(commands, workers, cpus)


def jobs(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    workers: JobWorkers = None,
    cpus: Cpus = 1,
    fold: FoldOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the jobs, as JSON.")] = False,
) -> None:
    """List a study's jobs: what each needs and takes, and whether it is done. Starts nothing.

    A job is one stage for one model, fold, and part of the patients. Done jobs are skipped by `gliobench run`.

    Example: `gliobench jobs studies/segmentation.yaml --out runs/cv --workers 4`
    """
    from rich.console import Console

    from gliobench.study.jobs.graph import make_graph
    from gliobench.study.jobs.printing import jobs_json, jobs_table

    graph = make_graph(open_context(study, cohort, out, store, fold=fold), workers or 1)
    if as_json:
        typer.echo(jobs_json(graph, cpus))
    else:
        Console().print(jobs_table(graph, cpus))


def repair(
    run: Annotated[Path, typer.Argument(help="Output folder of a run.", show_default=False)],
) -> None:
    """Move damaged files of a run folder aside, keep every intact record, and list what was lost.

    Afterwards `gliobench run` repeats only the lost answers.

    Example: `gliobench repair runs/brats`
    """
    from gliobench.study.state.repair import repair as repair_folder

    messages = list(repair_folder(run))
    for message in messages or [f"{run}: nothing is damaged"]:
        typer.echo(message)
