"""From a network's logits to an answer: mirroring, sliding window, threshold and smallest component."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from gliobench.models.base.operating_point import OperatingPoint

Shape = tuple[int, int, int]
MIRRORS = tuple(axes for count in range(4) for axes in combinations((2, 3, 4), count))
WINDOW_OVERLAP = 0.5


@torch.inference_mode()
def probabilities(module: nn.Module, image: Tensor, *, mirror: bool, window: Shape | None) -> Tensor:
    """A network's probabilities for one patient: (outputs,) or (outputs, D, H, W), float32 in [0, 1]; of several
    outputs of a class they sum to 1.

    `image` (4, D, H, W) float32. `mirror`: the mean over the eight mirrored copies. `window`: shape (D, H, W) of a
    sliding window, moved by half its size and weighted by a Gaussian (MONAI); None: the whole patient at once.
    """
    batch = image[None].to(next(module.parameters()).device).contiguous(memory_format=torch.channels_last_3d)
    total: Tensor | None = None
    copies = MIRRORS if mirror else MIRRORS[:1]
    for axes in copies:
        logits = raw_logits(module, batch.flip(axes), window).float()
        found = class_probabilities(logits)[0] if logits.ndim == 2 else torch.sigmoid(logits.flip(axes))[0]
        total = found if total is None else total + found
    assert total is not None
    return total / len(copies)


def class_probabilities(logits: Tensor) -> Tensor:
    """The probabilities of logits (N, 1) of the positive class of two, or (N, k) of more classes; same shape."""
    return torch.sigmoid(logits) if logits.shape[1] == 1 else logits.softmax(dim=1)


def raw_logits(module: nn.Module, batch: Tensor, window: Shape | None) -> Tensor:
    """The network's logits for a batch (N, 4, D, H, W), at once or by a sliding window."""
    if window is None:
        logits: Tensor = module(batch)
        return logits
    from monai.inferers import sliding_window_inference

    slid: Tensor = sliding_window_inference(batch, window, 1, module, overlap=WINDOW_OVERLAP, mode="gaussian")
    return slid


def decide(probability: NDArray[np.float32], decision: OperatingPoint, voxel_mm3: float) -> NDArray[np.bool_]:
    """A mask from probabilities (D, H, W), without components that are too small."""
    return drop_small(probability >= decision.threshold, decision.smallest_mm3 / voxel_mm3)


def drop_small(mask: NDArray[np.bool_], smallest_voxels: float) -> NDArray[np.bool_]:
    """The mask without 26-connected components of fewer voxels; the largest component always stays."""
    if smallest_voxels <= 1 or not mask.any():
        return mask
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    keep = (sizes >= smallest_voxels) | (np.arange(len(sizes)) == sizes.argmax())
    keep[0] = False
    kept: NDArray[np.bool_] = keep[parts]
    return kept


def nested(masks: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """Regions from the outermost to the innermost, each restricted to the one before it."""
    inside = [masks[0]]
    for mask in masks[1:]:
        inside.append(mask & inside[-1])
    return inside
