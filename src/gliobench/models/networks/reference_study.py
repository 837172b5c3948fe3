"""The reference study's own two networks."""

from itertools import pairwise

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]


class GradeClassifier(nn.Module):
    """The reference study's classifier: two convolutions, two dense layers.

    In: (N, channels, D, H, W) float32. Out: (N, outputs) logits. Convolutions k3 p1, channels -> 8 -> 16 filters, each
    with ReLU and max-pooling by 2; then 128 hidden units with ReLU, as its report says, or without, as its code has
    them.
    """

    def __init__(self, shape: Shape, channels: int = 4, outputs: int = 1, *, hidden_relu: bool = True) -> None:
        super().__init__()
        widths = (channels, 8, 16)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv3d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)]
        self.features = nn.Sequential(*layers)
        depth, height, width = (size // 4 for size in shape)
        between = nn.ReLU() if hidden_relu else nn.Identity()
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * depth * height * width, 128), between, nn.Linear(128, outputs)
        )

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(image).contiguous())
        return logits


class MaskSegmenter(nn.Module):
    """The reference study's segmenter: two convolutions, a bottleneck, two transposed convolutions.

    In: (N, channels, D, H, W) float32. Out: (N, regions, D, H, W) logits, of exactly the input's shape. `last_kernel`:
    of the last convolution, in voxels per side; its code has 3 (91,921 weights with one region).
    """

    def __init__(self, channels: int = 4, regions: int = 1, *, last_kernel: int = 1) -> None:
        super().__init__()
        self.down1 = nn.Conv3d(channels, 16, 3, padding=1)
        self.down2 = nn.Conv3d(16, 32, 3, padding=1)
        self.bottleneck = nn.Conv3d(32, 64, 3, padding=1)
        self.up1 = nn.ConvTranspose3d(64, 32, 2, stride=2)
        self.up2 = nn.ConvTranspose3d(32, 16, 2, stride=2)
        self.out = nn.Conv3d(16, regions, last_kernel, padding=last_kernel // 2)
        self.pool = nn.MaxPool3d(2)

    def forward(self, image: Tensor) -> Tensor:
        full = self.pool(torch.relu(self.down1(image)))
        half = self.pool(torch.relu(self.down2(full)))
        deep = torch.relu(self.bottleneck(half))
        up = torch.relu(self.up1(deep, output_size=full.shape[2:]))
        logits: Tensor = self.out(torch.relu(self.up2(up, output_size=image.shape[2:])))
        return logits
