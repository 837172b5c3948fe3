"""The 3D networks, by name. A new one is a class (or a library's) and a line in `NETWORKS`."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gliobench.cohort.subject import MODALITIES

Shape = tuple[int, int, int]


class GradeClassifier(nn.Module):
    """The reference study's classifier: three convolutions (4-8-16 channels in), two dense layers, one logit.

    In: (N, 4, D, H, W) float32. Out: (N,) logits of HGG. Convolutions k3 p1, 4 -> 8 -> 16 filters, each with ReLU and
    max-pooling by 2; then 128 hidden units.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = (len(MODALITIES), 8, 16)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv3d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)]
        self.features = nn.Sequential(*layers)
        depth, height, width = (size // 4 for size in shape)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * depth * height * width, 128), nn.ReLU(), nn.Linear(128, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(image).contiguous())[:, 0]
        return logits


class MaskSegmenter(nn.Module):
    """The reference study's segmenter: two convolutions, a bottleneck, two transposed convolutions, one logit a voxel.

    In: (N, 4, D, H, W) float32. Out: (N, D, H, W) logits of tumour, of exactly the input's shape.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.down1 = nn.Conv3d(len(MODALITIES), 16, 3, padding=1)
        self.down2 = nn.Conv3d(16, 32, 3, padding=1)
        self.bottleneck = nn.Conv3d(32, 64, 3, padding=1)
        self.up1 = nn.ConvTranspose3d(64, 32, 2, stride=2)
        self.up2 = nn.ConvTranspose3d(32, 16, 2, stride=2)
        self.out = nn.Conv3d(16, 1, 1)
        self.pool = nn.MaxPool3d(2)

    def forward(self, image: Tensor) -> Tensor:
        full = self.pool(torch.relu(self.down1(image)))
        half = self.pool(torch.relu(self.down2(full)))
        deep = torch.relu(self.bottleneck(half))
        up = torch.relu(self.up1(deep, output_size=full.shape[2:]))
        logits: Tensor = self.out(torch.relu(self.up2(up, output_size=image.shape[2:])))[:, 0]
        return logits


@dataclass(frozen=True)
class Network:
    """A kind of network: the task it answers, and how one is built for a grid of shape (D, H, W)."""

    task: str
    build: Callable[[Shape], nn.Module]


NETWORKS = {
    "grade-classifier": Network("grade", GradeClassifier),
    "mask-segmenter": Network("mask", MaskSegmenter),
}


def as_input(image: NDArray[np.uint8]) -> Tensor:
    """(4, D, H, W) uint8 to float32 with, in each modality, mean 0 and deviation 1 over the brain, 0 outside it."""
    voxels = torch.from_numpy(np.array(image)).float()
    for modality in voxels:
        brain = modality > 0
        inside = modality[brain]
        if inside.numel() > 1:
            modality[brain] = (inside - inside.mean()) / inside.std().clamp_min(1e-6)
    return voxels
