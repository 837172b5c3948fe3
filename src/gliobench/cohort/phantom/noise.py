"""Smooth random fields."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

Field = NDArray[np.float32]
Shape = tuple[int, int, int]


def smooth_noise(random: np.random.Generator, shape: Shape, scale_mm: float, spacing_mm: float) -> Field:
    """A Gaussian random field of mean 0 and standard deviation 1 on a grid of `spacing_mm`, correlated over about
    `scale_mm`.

    Drawn and smoothed on a coarse grid and interpolated: a field of 20 mm costs no more than one of 4 mm.
    """
    scale = scale_mm / spacing_mm
    step = max(scale / 2, 1.0)
    coarse = random.standard_normal([int(np.ceil(size / step)) + 4 for size in shape], dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, scale / step)
    coarse = (coarse - coarse.mean()) / coarse.std()
    size = [round(count * step) for count in coarse.shape]
    zoomed = functional.interpolate(torch.from_numpy(coarse)[None, None], size=size, mode="trilinear")[0, 0].numpy()
    field: Field = zoomed[: shape[0], : shape[1], : shape[2]]
    return field
