"""How fast and how large machines are: named GPUs as their makers state them, and this one as far as it shows."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

USED = 0.35  # of a GPU's stated speed; what large matrix products reach in practice
CORE_FLOPS = 56e9  # a second and core: the study's segmenter took 0.42 s a training step on two (docs/results)
CPU_BANDWIDTH = 20e9


@dataclass(frozen=True)
class Hardware:
    """Operations a second in 16 and 32 bits, bytes of memory a second, and GiB of memory (0: no GPU)."""

    name: str
    flops16: float
    flops32: float
    bandwidth: float
    memory_gib: float


GPUS = {
    "t4": Hardware("T4, 15 GiB", 65e12 * USED, 8.1e12 * USED, 320e9 * USED, 15),
    "l4": Hardware("L4, 22.5 GiB", 121e12 * USED, 30e12 * USED, 300e9 * USED, 22.5),
    "a100": Hardware("A100, 40 GiB", 312e12 * USED, 19.5e12 * USED, 1555e9 * USED, 40),
    "h100": Hardware("H100, 80 GiB", 989e12 * USED, 67e12 * USED, 3350e9 * USED, 80),
}


def this_machine() -> Hardware:
    """The first GPU that the driver shows and torch can use, else the processors."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shown = _driver()
    if shown is None or not torch_has_cuda():
        return Hardware(f"{cores} processors, no GPU", cores * CORE_FLOPS, cores * CORE_FLOPS, CPU_BANDWIDTH, 0)
    name, memory = shown
    like = next((gpu for key, gpu in GPUS.items() if key.upper() in name.upper()), GPUS["a100"])
    return Hardware(name, like.flops16, like.flops32, like.bandwidth, memory)


def torch_has_cuda() -> bool:
    """Whether torch was built for CUDA; told by its version, without importing it."""
    try:
        return "+cpu" not in version("torch")
    except PackageNotFoundError:
        return False


def _driver() -> tuple[str, float] | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        line = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()[0]
        name, memory = line.rsplit(",", 1)
        return name.strip(), float(memory) / 1024
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
