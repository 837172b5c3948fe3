"""A job as a process of its own, which ends with the one that started it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DEATH_SIGNAL = 1  # of `prctl`: the signal that a process gets when its parent ends, however that ends
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(cpus: int, gpu: str | None = None) -> Mapping[str, str]:
    """The environment of a job. Figures depend on the number of threads in their last bits: all jobs have the same."""
    given = {**os.environ, **dict.fromkeys(THREADS, str(cpus)), "OMP_WAIT_POLICY": "passive"}
    return given if gpu is None else {**given, "CUDA_VISIBLE_DEVICES": gpu}


def start(arguments: Sequence[str], log: Path, given: Mapping[str, str], at_death: int) -> subprocess.Popen[bytes]:
    """Start gliobench with these arguments, in this folder; what it says is added to `log`. `at_death`: the signal
    that it gets when this process ends (on Linux)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "gliobench", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=given,
            preexec_fn=_ends_with_parent(at_death),
        )


def _ends_with_parent(at_death: int) -> Callable[[], None] | None:
    """What a new process does first on Linux, so that none is left at work when this one is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(DEATH_SIGNAL, at_death)
