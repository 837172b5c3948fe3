"""Whether a piece of work used the GPU of this process, told by PyTorch's own count of allocations."""

import sys

ALLOCATED = "allocation.all.allocated"  # of `torch.cuda.memory_stats`: how many there were since the process began


def gpu_allocations() -> int:
    """How many allocations on a GPU this process has made; 0 without one. PyTorch is not imported for it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(int(torch.cuda.memory_stats(one).get(ALLOCATED, 0)) for one in range(torch.cuda.device_count()))


def device_since(before: int) -> str:
    """The GPU's name where there were allocations since `before`, else CPU. A process of its own, as nnU-Net's, is not
    seen."""
    if gpu_allocations() == before:
        return "CPU"
    return str(sys.modules["torch"].cuda.get_device_name())
