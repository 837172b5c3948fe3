"""The U-Net that nnU-Net will plan: patch, batch and layers, and what they cost, by arithmetic.

The rule is nnU-Net's own (Isensee 2021; `ExperimentPlanner` of nnunetv2) for voxels as long as they are wide: as large
a patch as its memory target holds, halved until no axis can be, then as many patches as still fit.
"""

import math
from dataclasses import dataclass, replace

from gliobench.study.plan.hardware import USED, Hardware

Axes = tuple[int, ...]

TARGET_GB = {"nnUNetPlannerResEncL": 24, "nnUNetPlannerResEncXL": 40}
DEFAULT_GB = 8
MAPS, MAPS_BATCH = {2: 85e6, 3: 560e6}, {2: 12, 3: 2}  # numbers in a patch's maps that fill 8 GB with that many patches
LARGEST_PATCH = {2: 2048, 3: 256}
MOST_FEATURES = {2: 512, 3: 320}
FEATURES, LEAST_EDGE, LEAST_BATCH, MOST_OF_ALL_VOXELS = 32, 4, 2, 0.05
CONVOLUTIONS = 2  # a stage, on the way down and on the way up
KERNEL = 3
# nnU-Net's authors: 9 h for 1000 epochs on an A100 of 40 GB (resenc_presets.md of nnunetv2). Of two patches of 128³ and
# 250 + 50 iterations, these are 48e12 operations a second of 312e12 stated.
GPU_SHARE = 48e12 / 312e12 / USED


@dataclass(frozen=True)
class UNet:
    """`patch`: voxels along each axis; `batch`: patches per step; per stage: how its input is strided, and its
    features."""

    patch: Axes
    batch: int
    strides: tuple[Axes, ...]
    features: Axes


@dataclass(frozen=True)
class UNetSize:
    """`parameters`; of one patch: `operations` forward, and numbers in the maps of its convolutions."""

    parameters: int
    operations: float
    maps: int


def unet_size(net: UNet, channels: int, classes: int) -> UNetSize:
    """Of a U-Net from `channels` to `classes`; biases and normalisation are left out."""
    parameters, operations, maps = 0, 0.0, 0

    def convolve(before: int, after: int, weights: int, voxels: int) -> None:
        nonlocal parameters, operations, maps
        parameters += before * after * weights
        operations += 2.0 * before * after * weights * voxels
        maps += after * voxels

    cube, sizes, size = KERNEL ** len(net.patch), [], net.patch
    for stride in net.strides:
        size = tuple(edge // step for edge, step in zip(size, stride, strict=True))
        sizes.append(math.prod(size))
    before = channels
    for features, voxels in zip(net.features, sizes, strict=True):
        for _ in range(CONVOLUTIONS):
            convolve(before, features, cube, voxels)
            before = features
    for features, voxels, stride in zip(net.features[-2::-1], sizes[-2::-1], net.strides[:0:-1], strict=True):
        convolve(before, features, math.prod(stride), voxels // math.prod(stride))
        maps += features * (voxels - voxels // math.prod(stride))  # its output is that much larger
        for place in range(CONVOLUTIONS):
            convolve(features if place else 2 * features, features, cube, voxels)
        before = features
    convolve(before, classes, 1, sizes[0])
    return UNetSize(parameters, operations, maps)


def expected_unet(shape: Axes, patients: int, channels: int, classes: int, planner: str) -> UNet:
    """What nnU-Net will plan for patients of `shape`, (D, H, W) or (H, W) for 2d."""
    axes = len(shape)
    budget = MAPS[axes] * TARGET_GB.get(planner, DEFAULT_GB) / DEFAULT_GB
    edges = [min(edge, LARGEST_PATCH[axes]) for edge in shape]
    while (maps := unet_size(net := _topology(tuple(edges)), channels, classes).maps) > budget:
        most = max(range(axes), key=lambda axis: net.patch[axis] / shape[axis])
        edges = list(net.patch)
        edges[most] -= math.prod(stride[most] for stride in net.strides)
    fits = round(budget / maps * MAPS_BATCH[axes])
    share = round(patients * math.prod(shape) * MOST_OF_ALL_VOXELS / math.prod(net.patch))
    return replace(net, batch=max(min(fits, share), LEAST_BATCH))


def _topology(edges: Axes) -> UNet:
    """Halve every axis that stays long enough, and round the patch up to what can be halved so often."""
    strides, sizes = [(1,) * len(edges)], list(edges)
    while True:
        long = [axis for axis, edge in enumerate(sizes) if edge >= 2 * LEAST_EDGE]
        if not long or (len(long) == 1 and sizes[long[0]] < 3 * LEAST_EDGE):
            break
        strides.append(tuple(2 if axis in long else 1 for axis in range(len(edges))))
        sizes = [math.ceil(edge / step) for edge, step in zip(sizes, strides[-1], strict=True)]
    whole = [math.prod(stride[axis] for stride in strides) for axis in range(len(edges))]
    patch = tuple(math.ceil(edge / step) * step for edge, step in zip(edges, whole, strict=True))
    features = tuple(min(FEATURES * 2**stage, MOST_FEATURES[len(edges)]) for stage in range(len(strides)))
    return UNet(patch, 0, tuple(strides), features)


def windows(shape: Axes, patch: Axes) -> int:
    """How many patches, each half over the next, cover a patient; of a patch of two axes, slice by slice."""
    across = zip(shape[-len(patch) :], patch, strict=True)
    slices = shape[0] if len(patch) < len(shape) else 1
    return slices * math.prod(max(0, math.ceil((edge - part) / (part / 2))) + 1 for edge, part in across)


def map_bytes(net: UNet) -> float:
    """Bytes that training takes for a number in the maps."""
    return DEFAULT_GB * 1e9 / (MAPS[len(net.patch)] * MAPS_BATCH[len(net.patch)])


def operations_a_second(machine: Hardware) -> float:
    """Processors as they are, a GPU as nnU-Net's authors measured one."""
    return machine.flops16 * (GPU_SHARE if machine.memory_gib else 1)
