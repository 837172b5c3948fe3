"""Jobs on Ray: each a task that starts a process on its node. Ray chooses the node, and gives what a lost node had
under way to another one; they end with this process."""

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliobench.errors import printable
from gliobench.study.jobs.command import Commands, last_line, log_of
from gliobench.study.jobs.graph import Job
from gliobench.study.jobs.process import environment, start
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import StageError

RETRIES = 3  # of a job whose node was lost
POLL_SECONDS = 1.0
PATIENCE_S = 5.0  # with an address that does not answer
STORE_BYTES = 100 * 2**20  # of objects, on a Ray started for the run: jobs pass nothing but their status


@dataclass(frozen=True)
class Ended:
    """How a job ended; `status` None: it was not started, as one that it needs had failed. `where`: its node's name."""

    status: int | None
    seconds: float = 0.0
    where: str = ""
    said: str = ""


@dataclass
class _Tally:
    """What has become of the jobs so far."""

    failed: list[Stage] = field(default_factory=list)
    not_started: int = 0


def run_on_ray(jobs: Sequence[Job], commands: Commands, address: str | None, workers: int, cpus: int) -> None:
    """Do every job that is not done yet on a Ray cluster, or, where `address` is None, on a Ray of this machine alone
    with room for `workers` jobs, started for this. A job that fails stops only those that need it. Raises StageError
    where Ray is not installed or not reached, and where a job fails: it names the job, its node and its log."""
    left = [job for job in jobs if not job.done]
    with _connected(address, workers * cpus) as ray:
        has_gpus = any(node.get("GPU", 0.0) >= 1 for node in _nodes(ray))
        under_way = _submit(ray, left, commands, cpus, has_gpus)
        tally = _watch(ray, under_way, commands, cpus)
    if tally.failed:
        logs = ", ".join(str(log_of(commands.context, stage)) for stage in tally.failed)
        waiting_too = f"; {tally.not_started} jobs that need them were not started" if tally.not_started else ""
        raise StageError(
            f"{', '.join(map(str, tally.failed))} failed, see {logs}{waiting_too}. All others are done: mend it and "
            "run the same command again, which resumes"
        )


@contextmanager
def _connected(address: str | None, cpus: int) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise StageError("--on ray needs Ray: pip install 'gliobench[ray]'") from error
    here = {"num_cpus": cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    try:
        _reach(address)
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **({} if address else here))
    except (OSError, RuntimeError, ValueError) as error:
        raise StageError(
            f"--on ray --address {address}: {printable(str(error)).splitlines()[0]}. Start one with "
            "`ray start --head`, run this on one of its nodes, or leave --address out for a Ray of this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Raise OSError where nothing listens there: Ray itself may wait without an end."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), PATIENCE_S).close()


def _nodes(ray: Any) -> list[Mapping[str, float]]:
    """What each living node has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _no_room(ray: Any, cpus: int) -> str | None:
    """What to say where no node has room for a job: one may yet come."""
    if (most := max((node.get("CPU", 0.0) for node in _nodes(ray)), default=0.0)) >= cpus:
        return None
    return (
        f"no node of the cluster has {cpus} processors, as a job needs (the largest has {most:.0f}): jobs wait until "
        "one has; else give less with --cpus"
    )


def _submit(ray: Any, jobs: Sequence[Job], commands: Commands, cpus: int, has_gpus: bool) -> dict[Any, Job]:
    """Hand all jobs to Ray at once, each behind those that it needs."""
    work, tasks = ray.remote(_work), dict[Stage, Any]()
    for job in jobs:
        before = [tasks[stage] for stage in job.needs if stage in tasks]
        log = log_of(commands.context, job.stage).absolute()
        resources = {"num_cpus": cpus, "num_gpus": job.gpus if has_gpus else 0, "max_retries": RETRIES}
        one = work.options(name=job.id, **resources)
        tasks[job.stage] = one.remote(commands.of(job.stage), str(Path.cwd()), str(log), cpus, *before)
    return {tasks[job.stage]: job for job in jobs}


def _work(arguments: Sequence[str], folder: str, log: str, cpus: int, *before: Ended) -> Ended:
    """A job, on its node. It is killed with Ray's worker: whatever stage it does can be killed at any moment."""
    if any(one.status != 0 for one in before):
        return Ended(None)
    import ray

    where, begun = f"{socket.gethostname()} ({ray.util.get_node_ip_address()})", time.perf_counter()
    try:
        os.chdir(folder)
        process = start(arguments, Path(log), environment(cpus), signal.SIGKILL)
    except OSError as error:
        return Ended(1, 0.0, where, f"{error.strerror}: {error.filename}. All nodes need the same folders")
    status = process.wait()
    return Ended(status, time.perf_counter() - begun, where, last_line(Path(log)).removeprefix("gliobench: "))


def _watch(ray: Any, under_way: Mapping[Any, Job], commands: Commands, cpus: int) -> _Tally:
    left, tally, voice, said = dict(under_way), _Tally(), commands.context.voice, None
    with voice.bar("jobs", len(under_way)) as advance:
        while left:
            ready, _ = ray.wait(list(left), timeout=POLL_SECONDS)
            for task in ready:
                _note(left.pop(task).stage, _ended(ray, task), tally, commands)
            if (no_room := _no_room(ray, cpus)) and no_room != said:
                voice.say(no_room)
            said = no_room
            waiting = {job.stage for job in left.values()}
            startable = [job.id for job in left.values() if waiting.isdisjoint(job.needs)]
            advance(len(under_way) - len(left), ", ".join(startable))
    return tally


def _ended(ray: Any, task: Any) -> Ended:
    try:
        found: Ended = ray.get(task)
    except ray.exceptions.RayError as error:
        return Ended(1, said=f"its node was lost {RETRIES + 1} times, or refuses it: {str(error).splitlines()[0]}")
    return found


def _note(stage: Stage, ended: Ended, tally: _Tally, commands: Commands) -> None:
    if ended.status is None:
        tally.not_started += 1
    elif ended.status:
        tally.failed.append(stage)
        where = f" on {ended.where}" if ended.where else ""
        commands.context.voice.say(f"{stage} failed{where} (status {ended.status}): {printable(ended.said)}")
    else:
        commands.context.voice.say(f"{stage}: done in {ended.seconds:.1f} s on {ended.where}")
