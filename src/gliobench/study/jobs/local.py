"""Jobs side by side on this machine, each a process of its own, which ends with the one that started it."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gliobench.study.jobs.command import Commands, last_line, log_of
from gliobench.study.jobs.graph import Job
from gliobench.study.jobs.process import environment, start
from gliobench.study.parts.stage import Stage
from gliobench.study.state.context import StageError

POLL_SECONDS = 0.1


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


def _start(job: Job, commands: Commands, work: _Work, cpus: int) -> None:
    gpu = work.gpus.pop(0) if job.gpus and work.gpus else None
    log = log_of(commands.context, job.stage)
    process = start(commands.of(job.stage), log, environment(cpus, gpu), signal.SIGTERM)
    work.running[job.stage] = process, time.perf_counter(), gpu


def _ended(work: _Work) -> list[tuple[Stage, int, float]]:
    """The jobs that have ended since, with status and seconds; their GPUs are free again."""
    found = []
    for stage, (process, begun, gpu) in list(work.running.items()):
        if (status := process.poll()) is not None:
            del work.running[stage]
            work.gpus += [gpu] if gpu is not None else []
            found.append((stage, status, time.perf_counter() - begun))
    return found


def _stop(work: _Work) -> None:
    for process, _, _ in work.running.values():
        process.terminate()
    for process, _, _ in work.running.values():
        process.wait()
