"""A 3D network of another package."""

from torch import nn

from gliobench.cohort.subject import MODALITIES
from gliobench.models.networks import Network


def one_layer(shape, outputs):
    return nn.Conv3d(len(MODALITIES), outputs, kernel_size=3, padding=1)


ONE_LAYER = Network(task="mask", build=one_layer)
