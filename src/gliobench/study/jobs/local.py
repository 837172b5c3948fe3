"""Jobs side by side on this machine, each a process of its own, which ends with the one that started it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gliobench.study.jobs.command import Commands, last_line, log_of
from gliobench.study.jobs.graph import Job
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import StageError

POLL_SECONDS = 0.1
DEATH_SIGNAL = 1  # of `prctl`: the signal that a process gets when its parent ends, however that ends
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Work:
    """What is under way: processes with the time of their start and the GPU that each has."""

    gpus: list[str]  # those that are free
    running: dict[Stage, tuple[subprocess.Popen[bytes], float, str | None]] = field(default_factory=dict)

    def can_start(self, job: Job, workers: int) -> bool:
        held = any(gpu is not None for _, _, gpu in self.running.values())
        return len(self.running) < workers and not (job.gpus and held and not self.gpus)


def run_local(jobs: Sequence[Job], commands: Commands, workers: int, cpus: int) -> None:
    """Do every job that is not done yet, `workers` at a time with `cpus` threads each and one GPU each where there are
    several. A job that fails stops only those that need it. Raises StageError that names it and its log."""
    left = {job.stage: job for job in jobs if not job.done}
    failed: list[Stage] = []
    voice, work = commands.context.voice, _Work(visible_gpus())
    with voice.bar("jobs", len(left)) as advance:
        total = len(left)
        try:
            while left or work.running:
                waiting = set(left) | set(work.running) | set(failed)
                ready = [job for job in left.values() if waiting.isdisjoint(job.needs)]
                for job in ready:
                    if work.can_start(job, workers):
                        del left[job.stage]
                        _start(job, commands, work, cpus)
                if not work.running:
                    break  # what is left needs what has failed
                for stage, status, seconds in _ended(work):
                    if status:
                        failed.append(stage)
                        said = last_line(log_of(commands.context, stage)).removeprefix("gliobench: ")
                        voice.say(f"{stage} failed (status {status}): {said}")
                    else:
                        voice.say(f"{stage}: done in {seconds:.1f} s")
                advance(total - len(left) - len(work.running), ", ".join(map(str, work.running)))
                time.sleep(POLL_SECONDS)
        finally:
            _stop(work)
    if failed:
        logs = ", ".join(str(log_of(commands.context, stage)) for stage in failed)
        waiting_too = f"; {len(left)} jobs that need them were not started" if left else ""
        raise StageError(
            f"{', '.join(map(str, failed))} failed, see {logs}{waiting_too}. All others are done: mend it and run the "
            "same command again, which resumes"
        )


def visible_gpus() -> list[str]:
    """The GPUs that jobs can be given, as CUDA_VISIBLE_DEVICES names them."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [one for one in named.split(",") if one]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def environment(cpus: int, gpu: str | None = None) -> Mapping[str, str]:
    """The environment of a job. Figures depend on the number of threads in their last bits: all jobs have the same."""
    given = {**os.environ, **dict.fromkeys(THREADS, str(cpus)), "OMP_WAIT_POLICY": "passive"}
    return given if gpu is None else {**given, "CUDA_VISIBLE_DEVICES": gpu}


def _start(job: Job, commands: Commands, work: _Work, cpus: int) -> None:
    gpu = work.gpus.pop(0) if job.gpus and work.gpus else None
    log = log_of(commands.context, job.stage)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "gliobench", *commands.of(job.stage)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment(cpus, gpu),
            preexec_fn=_ends_with_parent(),
        )
    work.running[job.stage] = process, time.perf_counter(), gpu


def _ended(work: _Work) -> list[tuple[Stage, int, float]]:
    """The jobs that have ended since, with status and seconds; their GPUs are free again."""
    found = []
    for stage, (process, start, gpu) in list(work.running.items()):
        if (status := process.poll()) is not None:
            del work.running[stage]
            work.gpus += [gpu] if gpu is not None else []
            found.append((stage, status, time.perf_counter() - start))
    return found


def _stop(work: _Work) -> None:
    for process, _, _ in work.running.values():
        process.terminate()
    for process, _, _ in work.running.values():
        process.wait()


def _ends_with_parent() -> Callable[[], None] | None:
    """What a new process does first on Linux, so that none is left at work when this one is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(DEATH_SIGNAL, signal.SIGTERM)
