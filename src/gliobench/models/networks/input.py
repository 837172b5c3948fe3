"""What a network is shown of a patient."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_input(image: NDArray[np.uint8]) -> Tensor:
    """(4, D, H, W) uint8 to float32 with, in each modality, mean 0 and deviation 1 over the brain, 0 outside it."""
    voxels = torch.from_numpy(np.array(image)).float()
    for modality in voxels:
        brain = modality > 0
        inside = modality[brain]
        if inside.numel() > 1:
            modality[brain] = (inside - inside.mean()) / inside.std().clamp_min(1e-6)
    return voxels
