"""Jobs on Slurm: submitted with what each waits for, and watched from outside; they go on without the watcher.

Which jobs of a run are in the queue, the queue itself says: every job names its run and its study file in its comment.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gliobench.integrity import write_whole
from gliobench.study.jobs.command import Commands, last_line, log_of
from gliobench.study.jobs.graph import Job
from gliobench.study.jobs.profile import Profile
from gliobench.study.jobs.script import comment_of, root_of, script_of
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import StageError

UNDER_WAY = {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING"}
POLL_SECONDS = 5.0
FORMAT = "%A|%T|%N|%j|%k"  # number, state, nodes, name, comment


@dataclass(frozen=True)
class Queued:
    """A job as `squeue` shows it; `name` is its id."""

    number: str
    state: str
    where: str
    name: str
    comment: str

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY


def write_scripts(jobs: Sequence[Job], commands: Commands, profile: Profile, cpus: int) -> dict[Stage, Path]:
    """Write the script of every job that is not done yet."""
    scripts = {}
    for job in jobs:
        if not job.done:
            scripts[job.stage] = log_of(commands.context, job.stage).with_suffix(".sh")
            write_whole(scripts[job.stage], script_of(job, commands, profile, cpus).encode())
    return scripts


def submit(jobs: Sequence[Job], commands: Commands, profile: Profile, cpus: int) -> dict[Stage, str]:
    """Submit every job that is neither done nor in the queue; returns the Slurm job of each that is not done.

    Raises StageError where Slurm is not here, where it refuses a job, and where jobs of another study file are under
    way in the same folder.
    """
    if missing := [name for name in ("sbatch", "squeue") if shutil.which(name) is None]:
        raise StageError(f"--on slurm: {', '.join(missing)} not found: run this where Slurm's commands are installed")
    known, numbers = _known(commands), dict[Stage, str]()
    for stage, script in write_scripts(jobs, commands, profile, cpus).items():
        needs = next(job.needs for job in jobs if job.stage == stage)
        before = [numbers[one] for one in needs if one in numbers]
        numbers[stage] = known.get(str(stage)) or _sbatch(stage, script, before)
    if attached := sum(number in known.values() for number in numbers.values()):
        commands.context.voice.say(f"{attached} of {len(numbers)} jobs are in the queue already")
    return numbers


def watch(numbers: Mapping[Stage, str], commands: Commands, *, poll_seconds: float = POLL_SECONDS) -> None:
    """Show how the jobs are until none is under way, and say how each has ended."""
    context, left = commands.context, dict(numbers)
    with context.voice.bar("jobs", len(numbers)) as advance:
        while left:
            queue = {one.number: one for one in _queue()}
            for stage, number in list(left.items()):
                queued = queue.get(number)
                if queued is None or not queued.under_way:
                    del left[stage]
                    context.voice.say(_ended(commands, stage, number, queued))
            states = [queue[number].state for number in left.values()]
            note = ", ".join(f"{states.count(one)} {one.lower()}" for one in sorted(set(states)))
            advance(len(numbers) - len(left), note)
            if left:
                time.sleep(poll_seconds)


def _ended(commands: Commands, stage: Stage, number: str, queued: Queued | None) -> str:
    if queued is None or queued.state == "COMPLETED":
        return f"{stage}: ended (job {number})"
    log, where = log_of(commands.context, stage), f" on {queued.where}" if queued.where else ""
    said = f": {last_line(log)} ({log})" if log.exists() else ""
    return f"{stage}: {queued.state.lower()}{where} (job {number}){said}"


def _sbatch(stage: Stage, script: Path, before: Sequence[str]) -> str:
    waits = [f"--dependency=afterok:{':'.join(before)}", "--kill-on-invalid-dep=yes"] if before else []
    ended = subprocess.run(["sbatch", "--parsable", *waits, str(script)], capture_output=True, text=True)
    if ended.returncode:
        raise StageError(
            f"{stage}: Slurm refuses the job: {ended.stderr.strip()} ({script}). Jobs submitted before it go on: give "
            "other options, and the same command submits the rest"
        )
    return ended.stdout.strip().split(";")[0]


def _queue() -> Iterator[Queued]:
    """This user's jobs, those that ended a short while ago too."""
    command = ["squeue", "--me", "--noheader", "--states=all", f"--format={FORMAT}"]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise StageError(f"squeue: {ended.stderr.strip()}. The jobs go on; the same command attaches to them again")
    fields = FORMAT.count("|")
    return (Queued(*line.split("|", fields)) for line in ended.stdout.splitlines() if line.count("|") >= fields)


def _known(commands: Commands) -> dict[str, str]:
    """The numbers of this run's jobs that are under way, by id."""
    found = [one for one in _queue() if one.under_way and root_of(one.comment) == root_of(comment_of(commands))]
    if others := [one.number for one in found if one.comment != comment_of(commands)]:
        raise StageError(
            f"{commands.context.folder.root}: {len(others)} jobs of another study file, or of {commands.study} before "
            f"it changed, are under way here: wait, or `scancel {' '.join(others)}`"
        )
    return {one.name: one.number for one in found}
