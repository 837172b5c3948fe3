"""The batch script of a job on Slurm."""

import shlex
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from gliobench.integrity import file_digest
from gliobench.study.jobs.command import Commands, log_of
from gliobench.study.jobs.graph import Job
from gliobench.study.jobs.process import THREADS
from gliobench.study.jobs.profile import Profile

WARNING_SECONDS = 60  # before a job's limit
MOST_RESTARTS = 100  # of a job whose work takes longer than its limit
# The shell stays, so that it can ask for a requeue when the limit comes near; the work resumes where it stopped.
BODY = """\
{setup}
{command} &
work=$!
again() {{
  kill -TERM "$work"
  wait "$work"
  if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {most} ]; then
    echo "gliobench: stopped after {most} requeues; give --time more"
    exit 1
  fi
  scontrol requeue "$SLURM_JOB_ID"
  sleep 60
}}
trap again USR1
wait "$work"
"""


def script_of(job: Job, commands: Commands, profile: Profile, cpus: int) -> str:
    """What `sbatch` is given; what the job waits for is said beside it."""
    head = "".join(f"#SBATCH {option}\n" for option in _options(job, commands, profile, cpus))
    threads = [f"export {name}={cpus}" for name in THREADS]
    setup = [
        *(f"module load {shlex.quote(one)}" for one in profile.modules),
        *threads,
        "export OMP_WAIT_POLICY=passive",
    ]
    command = f"{profile.command or _python()} {shlex.join(commands.of(job.stage))}"
    return f"#!/bin/bash -l\n{head}" + BODY.format(setup="\n".join(setup), command=command, most=MOST_RESTARTS)


def comment_of(commands: Commands) -> str:
    """By which a job in the queue is known: the digest of its study file, and its run folder."""
    return f"{file_digest(commands.study)[:16]} {commands.context.folder.root.absolute()}"


def root_of(comment: str) -> str:
    """The run folder that a job's comment names."""
    return comment.partition(" ")[2]


def _python() -> str:
    """This Python with this package, wherever a job starts."""
    source = Path(str(files("gliobench"))).parent
    return f"env PYTHONPATH={shlex.quote(str(source))} {shlex.quote(sys.executable)} -m gliobench"


def _options(job: Job, commands: Commands, profile: Profile, cpus: int) -> Iterator[str]:
    yield f"--job-name={job.id}"
    yield f"--comment={shlex.quote(comment_of(commands))}"
    yield f"--output={shlex.quote(str(log_of(commands.context, job.stage).absolute()))}"
    yield f"--chdir={shlex.quote(str(Path.cwd()))}"
    yield "--open-mode=append"
    yield "--requeue"
    yield f"--signal=B:USR1@{WARNING_SECONDS}"
    yield "--ntasks=1"
    yield f"--cpus-per-task={cpus}"
    if job.gpus and profile.gpus:
        yield f"--gres=gpu:{profile.gpus}"
    named = {"partition": profile.partition, "time": profile.time, "account": profile.account}
    named |= {"constraint": profile.constraint, "mem": profile.memory}
    yield from (f"--{key}={value}" for key, value in named.items() if value is not None)
    yield from profile.options
