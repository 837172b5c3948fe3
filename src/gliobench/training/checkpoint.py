"""Everything that resuming a training needs, in one safetensors file: written atomically, and never unpickled."""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gliobench.integrity import CHECKSUM, DamagedError
from gliobench.models.networks.weights import own_tensors, restore
from gliobench.training.settings import EpochReport

log = logging.getLogger(__name__)

OPTIMISER = "optimiser."


@dataclass(frozen=True)
class Progress:
    """The progress of a training. `inputs`: digest of settings and data; another training's file is not resumed."""

    inputs: str
    history: tuple[EpochReport, ...] = ()
    best_epoch: int = -1

    @property
    def best_metric(self) -> float:
        """Of the best epoch; minus infinity before the first finite evaluation."""
        return self.history[self.best_epoch].validation_metric if self.best_epoch >= 0 else float("-inf")


def save_tensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file atomically, with a checksum of its content.

    Raises OSError where it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    laid_out = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(laid_out, partial, {**(metadata or {}), CHECKSUM: _digest(laid_out, metadata or {})})
    except SafetensorError as error:  # raised for a full disk
        raise OSError(errno.EIO, str(error), str(path)) from error
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `save_tensors` wrote, and its metadata. Raises DamagedError, and FileNotFoundError where there is none.

    A file without a checksum, from an earlier version, is accepted.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dictionary
    except (SafetensorError, IsADirectoryError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    found = metadata.pop(CHECKSUM, None)
    if found is not None and found != _digest(tensors, metadata):
        raise DamagedError(f"{path} is damaged (its checksum does not match)")
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    total = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


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
    path: Path, best: Path, modules: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, inputs: str
) -> Progress:
    """Resume a training, whose best weights are in the file `best`; a new `Progress` where there is nothing to resume,
    or where it is damaged, which is logged."""
    try:
        tensors, metadata = load_tensors(path)
        if "progress" not in metadata:
            raise DamagedError(f"{path} is damaged: it holds no progress")
        content = json.loads(metadata["progress"])
        if content["inputs"] != inputs:
            return Progress(inputs)
        if content["best_epoch"] >= 0:
            load_tensors(best)
    except FileNotFoundError:
        if path.exists():
            log.warning("%s is missing; the training starts again", best)
        return Progress(inputs)
    except DamagedError as error:
        log.warning("%s; the training starts again", error)
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
    """Restore what `optimiser_tensors` gave."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        parameter = parameters[int(number)]
        # The fused optimiser iterates over the memory of both: a moment needs the memory layout of its parameter.
        alike = tensor.shape == parameter.shape and tensor.dtype == parameter.dtype
        moments.setdefault(int(number), {})[key] = torch.empty_like(parameter).copy_(tensor) if alike else tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
