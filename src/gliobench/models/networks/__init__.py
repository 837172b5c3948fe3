"""The 3D networks, by name. A new one is a function that builds it and a line in `BUILT_IN`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gliobench.plugins import Registry
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, int, int]
Intensities = Literal["z-score", "prepared"]  # how a patient's intensities are given to a network: see `networks.input`


@dataclass(frozen=True)
class Network:
    """A kind of network: the task it answers, and how one is built.

    `build(shape, channels, outputs)`: for a grid of shape (D, H, W) and `channels` images of a patient; `outputs`
    regions of a mask, or logits of a class: 1 of two classes, else one each. `shortest`, `longest`: how many voxels
    every axis, and the longest one, must have; with fewer its pooling leaves nothing.
    """

    task: str
    build: Callable[[Shape, int, int], "nn.Module"]
    shortest: int = 1
    longest: int = 1

    def too_small(self, shape: Shape) -> str | None:
        """What it needs where it cannot take so few voxels; None where it can."""
        if min(shape) < self.shortest:
            return f"{self.shortest} voxels or more along every axis"
        return f"{self.longest} voxels or more along one axis" if max(shape) < self.longest else None

    def outputs(self, classes: int, regions: int) -> int:
        """How many outputs it has for a problem of `classes` and a mask of `regions`."""
        if self.task == MASK.name:
            return regions
        return 1 if classes == 2 else classes


def _study_classifier(shape: Shape, channels: int, outputs: int) -> "nn.Module":
    from gliobench.models.networks.reference_study import GradeClassifier

    return GradeClassifier(shape, channels, outputs)


def _study_segmenter(shape: Shape, channels: int, outputs: int) -> "nn.Module":
    from gliobench.models.networks.reference_study import MaskSegmenter

    return MaskSegmenter(channels, outputs)


def _study_classifier_as_coded(shape: Shape, channels: int, outputs: int) -> "nn.Module":
    from gliobench.models.networks.reference_study import GradeClassifier

    return GradeClassifier(shape, channels, outputs, hidden_relu=False)


def _study_segmenter_as_coded(shape: Shape, channels: int, outputs: int) -> "nn.Module":
    from gliobench.models.networks.reference_study import MaskSegmenter

    return MaskSegmenter(channels, outputs, last_kernel=3)


def _monai(function: str) -> Callable[[Shape, int, int], "nn.Module"]:
    """A function of `networks.monai`, imported at first use: MONAI takes seconds."""

    def build(shape: Shape, channels: int, outputs: int) -> "nn.Module":
        from gliobench.models.networks import monai

        network: nn.Module = getattr(monai, function)(channels, outputs)
        return network

    return build


BUILT_IN: dict[str, Network] = {
    "grade-classifier": Network(GRADE.name, _study_classifier, shortest=4),
    "grade-classifier-as-coded": Network(GRADE.name, _study_classifier_as_coded, shortest=4),
    "mask-segmenter": Network(MASK.name, _study_segmenter, shortest=4),
    "mask-segmenter-as-coded": Network(MASK.name, _study_segmenter_as_coded, shortest=4),
    "segresnet": Network(MASK.name, _monai("segresnet"), longest=9),
    "dynunet": Network(MASK.name, _monai("dynunet"), longest=9),
    "grade-resnet": Network(GRADE.name, _monai("grade_resnet")),
    "grade-densenet": Network(GRADE.name, _monai("grade_densenet"), shortest=29),
}
NETWORKS = Registry[Network]("networks", BUILT_IN)
