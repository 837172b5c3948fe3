"""Augmentation: random variants of a patient, as a different scan would give, to make up for few patients.

MONAI's transforms, on the patient's grid. Strengths are those that nnU-Net and the winners of the BraTS challenges use:
rotations of up to 15 degrees, scales of 0.85 to 1.15, mirroring along every axis, and for each modality on its own
brightness, contrast and noise.
"""

from functools import cache
from typing import Any

import numpy as np
from monai.transforms import (
    Compose,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from torch import Tensor

Pair = tuple[Tensor, Tensor]
TURN_RADIANS = np.pi / 12
FOREGROUND_SHARE = 2 / 3
IMAGE, MASK = "image", "mask"


def augmented(image: Tensor, mask: Tensor | None, seed: int) -> tuple[Tensor, Tensor | None]:
    """One variant of a patient, determined by `seed`: an image (4, D, H, W) and a mask (R, D, H, W) or None,
    float32."""
    chain = _chain(mask is not None)
    chain.set_random_state(seed)
    changed = chain({IMAGE: image} if mask is None else {IMAGE: image, MASK: mask})
    return _plain(changed[IMAGE]), None if mask is None else _plain(changed[MASK])


@cache
def _chain(with_mask: bool) -> Any:
    keys = [IMAGE, MASK] if with_mask else [IMAGE]
    blur = (0.4, 1.0)
    return Compose(
        [
            RandAffined(
                keys,
                prob=0.8,
                rotate_range=(TURN_RADIANS,) * 3,
                scale_range=(0.15,) * 3,
                translate_range=(4,) * 3,
                mode=("bilinear", "nearest")[: len(keys)],
                padding_mode="zeros",
            ),
            *(RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            RandScaleIntensityd(IMAGE, prob=0.7, factors=0.25, channel_wise=True),
            RandShiftIntensityd(IMAGE, prob=0.7, offsets=0.25, channel_wise=True),
            RandGaussianNoised(IMAGE, prob=0.2, std=0.15),
            RandGaussianSmoothd(IMAGE, prob=0.2, sigma_x=blur, sigma_y=blur, sigma_z=blur),
        ]
    )


def _plain(tensor: Tensor) -> Tensor:
    """A plain tensor of MONAI's, which carries a history of transforms."""
    plain: Tensor = tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor
    return plain


def cut_patch(image: Tensor, mask: Tensor, shape: tuple[int, int, int], seed: int) -> Pair:
    """A window of `shape` (D, H, W), or less where the patient is smaller; two of three contain a voxel of the mask."""
    random = np.random.default_rng(seed)
    room = [max(whole - part, 0) for whole, part in zip(mask.shape[1:], shape, strict=True)]
    start = random.integers(0, np.array(room) + 1)
    marked = mask.any(dim=0).nonzero()
    if len(marked) and random.random() < FOREGROUND_SHARE:
        middle = marked[int(random.integers(len(marked)))].numpy()
        start = np.clip(middle - np.array(shape) // 2, 0, room)
    depth, height, width = (slice(int(first), int(first) + size) for first, size in zip(start, shape, strict=True))
    return image[:, depth, height, width], mask[:, depth, height, width]
