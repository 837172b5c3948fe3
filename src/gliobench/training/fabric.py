"""The devices and the precision of a training."""

import logging
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import LightningEnvironment

from gliobench.models.networks import NETWORKS
from gliobench.tasks.grade import GRADE
from gliobench.training.settings import TrainSettings

SMALLEST_BFLOAT16_SIDE = 32


def make_fabric(network: str, smallest_side: int, settings: TrainSettings) -> Fabric:
    """Lightning Fabric for a training. `smallest_side`: voxels of the grid along its shortest axis."""
    for package in ("fabric", "pytorch"):
        logging.getLogger(f"lightning.{package}.utilities.rank_zero").setLevel(logging.ERROR)
    accelerator = "auto" if settings.device == "auto" else settings.device
    strategy = "auto" if settings.devices == 1 else "ddp_spawn"
    return Fabric(
        accelerator=accelerator,
        devices=settings.devices,
        strategy=strategy,
        precision=_precision(network, smallest_side, settings),
        plugins=LightningEnvironment(),  # else Lightning requires `srun` wherever that is installed
    )


def _precision(network: str, smallest_side: int, settings: TrainSettings) -> Any:
    """bfloat16 where it is set, or by default where the hardware supports it."""
    if settings.precision != "auto":
        return {"float32": "32-true", "bfloat16": "bf16-mixed"}[settings.precision]
    if torch.cuda.is_available() and settings.device in ("auto", "cuda"):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    # oneDNN (torch 2.13) reads uninitialised memory in the bfloat16 weight gradient of a 3D convolution over
    # two voxels per side: gradients differ from run to run, or are infinite. Classifiers shrink a volume that far.
    shrunk = NETWORKS[network].task == GRADE.name or smallest_side <= SMALLEST_BFLOAT16_SIDE
    return "bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() and not shrunk else "32-true"
