"""What a 3D network takes, found out without its weights: torch's meta device knows shapes and does no arithmetic."""

from dataclasses import dataclass
from functools import cache

Shape = tuple[int, int, int]
LEARN = 3  # a training step: once forward, twice as much backward


@dataclass(frozen=True)
class NetworkSize:
    """`parameters`; of one patient through the network once: `operations`, and numbers in all layers' outputs."""

    parameters: int
    operations: float
    outputs: int


@cache
def network_size(network: str, shape: Shape, channels: int, outputs: int) -> NetworkSize:
    """Of a network of `gliobench.models.networks` for `channels` images on a grid (D, H, W), or on patches of that
    shape."""
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    from gliobench.models.networks import NETWORKS

    with torch.device("meta"):
        module = NETWORKS[network].build(shape, channels, outputs).eval()
        image = torch.empty((1, channels, *shape))
    sizes: list[int] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            sizes.append(output.numel())

    for part in module.modules():
        if not list(part.children()):
            part.register_forward_hook(keep)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(image)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return NetworkSize(parameters, float(counter.get_total_flops()), sum(sizes))


def training_bytes(size: NetworkSize, batch: int) -> float:
    """Weights, their average, gradients and two moments; every layer's output, kept, and one gradient of it."""
    return 4.0 * (5 * size.parameters + 2 * batch * size.outputs)
