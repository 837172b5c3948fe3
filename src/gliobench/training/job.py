"""One training, and the network in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric
from torch import nn
from torch.optim.swa_utils import AveragedModel

from gliobench.grid.prepared import PreparedSubject
from gliobench.training.objectives import Objective
from gliobench.training.settings import TrainSettings


@dataclass(frozen=True)
class Job:
    """One training: network, patients, settings and output folder."""

    network: str
    regions: str
    train: Sequence[PreparedSubject]
    validation: Sequence[PreparedSubject]
    out: Path
    settings: TrainSettings
    objective: Objective
    start: Path | None

    @property
    def window(self) -> tuple[int, int, int] | None:
        return self.settings.patch


@dataclass(frozen=True)
class Learner:
    """The network as Fabric runs it, its running average, which is evaluated and kept, and its optimiser."""

    fabric: Fabric
    module: Any
    averaged: AveragedModel
    optimiser: Any

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"module": self.module.module, "averaged": self.averaged}
