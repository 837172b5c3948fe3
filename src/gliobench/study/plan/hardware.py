"""How fast and how large machines are: named GPUs as their makers state them, and this one as far as it shows."""

import os
from dataclasses import dataclass, replace

import torch

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
    """The first GPU that torch can use, else the processors."""
    if not torch.cuda.is_available():
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return Hardware(f"{cores} processors, no GPU", cores * CORE_FLOPS, cores * CORE_FLOPS, CPU_BANDWIDTH, 0)
    found = torch.cuda.get_device_properties(0)
    like = next((gpu for key, gpu in GPUS.items() if key.upper() in found.name.upper()), GPUS["a100"])
    return replace(like, name=found.name, memory_gib=found.total_memory / 2**30)
