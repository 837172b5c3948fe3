"""What this machine has, to be known before the work starts."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gliobench.models.checkpoints.quantised import quantisation_fault
from gliobench.models.checkpoints.unsloth import unsloth_fault

CORE = (
    "gliobench",
    "torch",
    "monai",
    "lightning",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "aiohttp",
    "nibabel",
    "numpy",
    "scipy",
    "scikit-learn",
)
OPTIONAL = {
    "bitsandbytes": "4- and 8-bit checkpoints on a CUDA device (pip install 'gliobench[quantised]')",
    "SimpleITK": "images and masks as NRRD and MetaImage (pip install 'gliobench[formats]')",
    "highdicom": "DICOM series and DICOM-SEG (pip install 'gliobench[dicom]')",
    "nnunetv2": "kind: nnunet; where torch has no CUDA, in an environment of its own (docs/nnunet.md)",
    "torchvision": "not needed here; where it does not import, transformers cannot load image models: uninstall it",
}


def examine(nnunet: Path | None = None) -> Iterator[str]:
    """One line per fact: machine, packages, accelerators, optional parts with the reason where one is absent.

    `nnunet`: an interpreter that should have nnU-Net; it is started and queried.
    """
    yield f"machine      {platform.machine()}, {usable_processors()} processors, {memory_gib():.1f} GiB memory"
    yield f"disk         {shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB free here"
    yield f"system       {platform.system()} {platform.release()}, Python {platform.python_version()}"
    for package in CORE:
        yield f"{package:<12} {_version(package) or 'MISSING: pip install ' + package}"
    yield f"accelerator  {accelerator()}"
    for package, purpose in OPTIONAL.items():
        yield f"{package:<12} {_version(package) or 'not installed'}; {purpose}{_import_fault(package)}"
    fault = quantisation_fault()
    yield f"4 or 8 bits  {f'not available: {fault}' if fault else 'available'}; for `quantisation:` of a checkpoint"
    fault = unsloth_fault()
    state = f"not available: {fault}" if fault else f"{_version('unsloth')} is available"
    yield f"Unsloth      {state}; for `finetune: {{engine: unsloth}}` (docs/finetuning.md)"
    if nnunet is not None:
        from gliobench.models.nnunet.model import examine_installation

        yield f"nnU-Net      {nnunet}: {examine_installation(nnunet)}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _import_fault(package: str) -> str:
    """Why an installed optional package cannot be used, or nothing."""
    if _version(package) is None:
        return ""
    try:
        import_module(package)
    except (ImportError, OSError, RuntimeError) as error:
        return f"; installed, but does not import: {error}"
    return ""


def accelerator() -> str:
    """The GPUs with their memory, or that there is none."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        return ", ".join(f"{device.name} ({device.total_memory / 2**30:.0f} GiB)" for device in names)
    return f"none found by torch; everything runs on {torch.get_num_threads()} threads"


def usable_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """Main memory in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
