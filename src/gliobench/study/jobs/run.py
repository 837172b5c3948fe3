"""All jobs of a study, on this machine, on Slurm or on Ray."""

from dataclasses import replace
from pathlib import Path

from gliobench.study.jobs.command import Commands, log_of
from gliobench.study.jobs.graph import make_graph
from gliobench.study.jobs.local import run_local
from gliobench.study.jobs.profile import Profile
from gliobench.study.jobs.ray import run_on_ray
from gliobench.study.jobs.slurm import submit, watch, write_scripts
from gliobench.study.plan.missing import machine_lacking, not_on_this_machine
from gliobench.study.state.context import StageError
from gliobench.study.state.lacking import lacking, refuse


def run_here(commands: Commands, workers: int, cpus: int) -> Path:
    """Do every job that is not done yet in processes on this machine; returns the path of the report."""
    context = commands.context
    refuse([*lacking(context.study, context.cohort), *not_on_this_machine(context), *machine_lacking(context)])
    run_local(make_graph(context, workers), commands, workers, cpus)
    return _report(commands)


def run_on_slurm(commands: Commands, profile: Profile, workers: int, cpus: int, *, dry: bool = False) -> Path | None:
    """Submit every job that is neither done nor in the queue, and watch until all have ended; returns the path of the
    report. `dry`: only write the scripts. Raises StageError naming the jobs that have not been done."""
    context = commands.context
    refuse(lacking(context.study, context.cohort))
    graph = make_graph(context, workers)
    if dry:
        for stage, script in write_scripts(graph, commands, profile, cpus).items():
            context.voice.say(f"{stage}: {script}")
        return None
    numbers = submit(graph, commands, profile, cpus)
    try:
        watch(numbers, commands)
    except KeyboardInterrupt:
        context.voice.say("The jobs go on; the same command attaches to them again.")
        return None
    fresh = replace(context)  # what the jobs have left, not what was read before them
    if left := [job.stage for job in make_graph(fresh, workers) if not job.done]:
        raise StageError(
            f"not done: {', '.join(map(str, left))}; see {log_of(context, left[0]).parent}. All others are done: mend "
            "it and run the same command again, which resumes"
        )
    return _report(commands)


def run_through_ray(commands: Commands, address: str | None, workers: int, cpus: int) -> Path:
    """Do every job that is not done yet as tasks of Ray; returns the path of the report. Raises StageError as
    `run_on_ray` does."""
    context = commands.context
    refuse(lacking(context.study, context.cohort))
    run_on_ray(make_graph(context, workers), commands, address, workers, cpus)
    return _report(commands)


def _report(commands: Commands) -> Path:
    page = commands.context.folder.report / "report.html"
    commands.context.voice.say(f"report: {page}")
    return page
