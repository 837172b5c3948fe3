"""Everything a training needs to go on, in one safetensors file: written whole or not at all, and never unpickled."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gliobench.models.weights import own_tensors, restore
from gliobench.training.settings import EpochReport

OPTIMISER = "optimiser."


@dataclass(frozen=True)
class Progress:
    """How far a training has come. `inputs`: digest of settings and data; another training's file is not taken up."""

    inputs: str
    history: tuple[EpochReport, ...] = ()
    best_epoch: int = -1

    @property
    def best_metric(self) -> float:
        """Of the best epoch; minus infinity before a judgement gave a finite figure."""
        return self.history[self.best_epoch].validation_metric if self.best_epoch >= 0 else float("-inf")


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file so that a reader never sees half of it."""
    partial = path.with_name(f".{path.name}.partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def save_progress(
    path: Path, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write the weights of the modules, by name, the optimiser's moments and the history."""
    tensors: dict[str, Tensor] = {}
    for role, module in modules.items():
        tensors |= {f"{role}.{name}": tensor for name, tensor in own_tensors(module).items()}
    tensors |= {f"{OPTIMISER}{name}": tensor for name, tensor in optimiser_tensors(optimiser).items()}
    save_tensors(tensors, path, {"progress": json.dumps(asdict(progress))})


def load_progress(
    path: Path, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, inputs: str
) -> Progress:
    """Take up a training where it was; a fresh `Progress` where there is nothing to take up."""
    try:
        with safe_open(path, framework="pt") as file:
            content = json.loads(file.metadata()["progress"])
            if content["inputs"] != inputs:
                return Progress(inputs)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary
    except (FileNotFoundError, SafetensorError):
        return Progress(inputs)
    for role, module in modules.items():
        own = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{role}.")}
        restore(module, {name.removeprefix(f"{role}."): tensor for name, tensor in own.items()})
    restore_optimiser(
        optimiser,
        {name.removeprefix(OPTIMISER): tensor for name, tensor in tensors.items() if name.startswith(OPTIMISER)},
    )
    history = tuple(EpochReport(**report) for report in content["history"])
    return Progress(inputs, history, content["best_epoch"])


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments and counts by "number of the parameter.name"."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        parameter = parameters[int(number)]
        # The fused optimiser walks the memory of both: a moment must lie in the order of its parameter.
        alike = tensor.shape == parameter.shape and tensor.dtype == parameter.dtype
        moments.setdefault(int(number), {})[key] = torch.empty_like(parameter).copy_(tensor) if alike else tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
