"""A module's tensors under one name each: some networks keep the same layer in two places."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


@torch.no_grad()
def restore(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put saved tensors back. Raises ValueError where the names or a shape are not the module's."""
    own = own_tensors(module)
    if odd := sorted(own.keys() ^ tensors.keys()):
        raise ValueError(f"the weights belong to another network: {len(odd)} names differ, such as {odd[0]}")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)} is expected, found {tuple(tensors[name].shape)}")
        tensor.copy_(tensors[name])
