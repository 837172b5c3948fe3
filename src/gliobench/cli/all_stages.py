"""All stages at once, and the repair of a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from gliobench.cli.context import open_context, terminal
from gliobench.cli.options import CohortFolder, FoldOption, Out, ReplicationFolder, SkipBad, Store, StudyFile, Workers


def run(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    skip_bad: SkipBad = False,
    workers: Workers = 2,
    fold: FoldOption = None,
    replication: ReplicationFolder = None,
) -> None:
    """Run all stages: prepare, split, train, finetune, predict, score, curve, report. Resumes after interruption.

    A study file with `replay:` scores recorded answers, and needs no cohort.

    Example: `gliobench run studies/brats.yaml --cohort ~/BraTS2020 --out runs/brats`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.run import run_replication
    from gliobench.study.run import run_stages

    if is_replication(study):
        external = read_replication(study)
        run_replication(external, out or Path("runs") / external.name, terminal())
    else:
        run_stages(open_context(study, cohort, out, store, skip_bad, workers, fold))


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
