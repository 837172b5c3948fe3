"""A patient as input of a network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gliobench.models.networks import Intensities

GREYS = 256
SMALLEST_DEVIATION = 1e-6


def as_input(image: NDArray[np.uint8], intensities: Intensities = "z-score") -> Tensor:
    """A patient (4, D, H, W) uint8 as float32, 0 outside the brain.

    `z-score`: in each modality mean 0 and standard deviation 1 over the brain. `prepared`: the grey values as prepared,
    divided by 255: with the grid's preset `study`, which equalises, the values that the reference study's networks saw.
    """
    if intensities == "prepared":
        return torch.from_numpy(np.asarray(image).astype(np.float32) / (GREYS - 1))
    voxels = np.empty(image.shape, np.float32)
    for standardised, modality in zip(voxels, np.asarray(image), strict=True):
        np.take(_by_grey(np.bincount(modality.ravel(), minlength=GREYS)), modality, out=standardised, mode="clip")
    return torch.from_numpy(voxels)


def _by_grey(counts: NDArray[np.intp]) -> NDArray[np.float32]:
    """The lookup table (256,) of grey values, from their counts: one look-up per voxel instead of arithmetic."""
    greys = np.arange(GREYS, dtype=np.float64)
    counts = counts.copy()
    counts[0] = 0
    if (voxels := int(counts.sum())) < 2:
        return greys.astype(np.float32)
    mean = (counts * greys).sum() / voxels
    deviation = np.sqrt((counts * (greys - mean) ** 2).sum() / (voxels - 1))
    standardised = (greys - mean) / max(deviation, SMALLEST_DEVIATION)
    standardised[0] = 0
    found: NDArray[np.float32] = standardised.astype(np.float32)
    return found
