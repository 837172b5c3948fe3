"""Sample a volume on an axis-aligned grid of another spacing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional


@dataclass(frozen=True)
class Sampling:
    """Where the grid's voxels lie in the source: source index = start + step * grid index, axis by axis (z, y, x)."""

    start: tuple[float, float, float]
    step: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(4, 4): grid index to source index."""
        matrix = np.diag([*self.step, 1.0])
        matrix[:3, 3] = self.start
        return matrix


def around(centre: NDArray[np.float64], extent: NDArray[np.float64], shape: tuple[int, int, int]) -> Sampling:
    """The sampling whose voxels tile `extent` (source voxels, outer edge to outer edge) around `centre` (an index)."""
    step = extent / np.asarray(shape)
    start = centre - (np.asarray(shape) - 1) / 2 * step
    return Sampling(_triple(start), _triple(step), shape)


def sample(volumes: NDArray[np.generic], sampling: Sampling, *, nearest: bool = False) -> NDArray[np.float32]:
    """(C, Z, Y, X) to (C, *sampling.shape) float32: trilinear or nearest, zero outside the source.

    torch's `grid_sample` with align_corners=True, in which -1 and 1 are the middles of the first and the last voxel.
    """
    low, high = _needed(volumes.shape[1:], sampling)
    if any(start >= stop for start, stop in zip(low, high, strict=True)):
        return np.zeros((len(volumes), *sampling.shape), np.float32)
    window = volumes[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    source = torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))
    axes = [
        (start + step * torch.arange(count, dtype=torch.float64) - offset) * (2 / max(size - 1, 1)) - 1
        for start, step, count, offset, size in zip(
            sampling.start, sampling.step, sampling.shape, low, window.shape[1:], strict=True
        )
    ]
    depth, height, width = torch.meshgrid(*(axis.float() for axis in axes), indexing="ij")
    places = torch.stack([width, height, depth], dim=-1)
    mode = "nearest" if nearest else "bilinear"
    sampled = functional.grid_sample(source[None], places[None], mode=mode, padding_mode="zeros", align_corners=True)
    return sampled[0].numpy()


def _needed(shape: tuple[int, ...], sampling: Sampling) -> tuple[list[int], list[int]]:
    """First and one-past-last source index that the sampling can touch, a voxel of margin included."""
    low, high = [], []
    for size, start, step, count in zip(shape, sampling.start, sampling.step, sampling.shape, strict=True):
        low.append(min(max(int(np.floor(start)) - 1, 0), size))
        high.append(max(min(int(np.ceil(start + step * (count - 1))) + 2, size), 0))
    return low, high


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
