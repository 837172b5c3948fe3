"""MONAI's 3D networks, sized for tens of patients and for two cores as well as a GPU.

Instance normalisation throughout: with one patient per batch it is what nnU-Net uses, and under bfloat16 on a CPU it is
twice as fast as SegResNet's own group normalisation.
"""

import torch
from monai.networks.nets import DenseNet121, DynUNet, SegResNet, resnet10
from torch import Tensor, nn
from torch.nn import functional


class Padded(nn.Module):
    """A network whose input sizes must be multiples of `multiple`: zero-padded, and the output cropped."""

    def __init__(self, network: nn.Module, multiple: int) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple

    def forward(self, image: Tensor) -> Tensor:
        depth, height, width = image.shape[2:]
        missing = [-size % self.multiple for size in (width, height, depth)]
        padded = functional.pad(image, [edge for size in missing for edge in (0, size)])
        logits: Tensor = self.network(padded.contiguous(memory_format=torch.channels_last_3d))
        return logits[..., :depth, :height, :width]


def segresnet(channels: int, outputs: int) -> nn.Module:
    """SegResNet (Myronenko 2018, without the autoencoder branch), 16 filters, three down-samplings; 4.7 M weights.

    In: (N, channels, D, H, W) float32. Out: (N, outputs, D, H, W) logits.
    """
    network = SegResNet(
        init_filters=16,
        in_channels=channels,
        out_channels=outputs,
        blocks_down=(1, 2, 2, 4),
        blocks_up=(1, 1, 1),
        norm="INSTANCE",
    )
    return Padded(network, 8)


def dynunet(channels: int, outputs: int) -> nn.Module:
    """DynUNet, nnU-Net's shape: 16 to 128 filters, three down-samplings, one head of deep supervision; 1.4 M weights.

    In: (N, channels, D, H, W) float32. Out: (N, outputs, D, H, W) logits; in training (N, heads, outputs, D, H, W), the
    finest head first, each brought to the full size.
    """
    network = DynUNet(
        spatial_dims=3,
        in_channels=channels,
        out_channels=outputs,
        kernel_size=[3, 3, 3, 3],
        strides=[1, 2, 2, 2],
        upsample_kernel_size=[2, 2, 2],
        filters=[16, 32, 64, 128],
        deep_supervision=True,
        deep_supr_num=1,
    )
    return Padded(network, 8)


def grade_resnet(channels: int, outputs: int) -> nn.Module:
    """3D ResNet of ten layers (He 2016), half as wide and with a stem of 3 voxels; 3.6 M weights.

    In: (N, channels, D, H, W) float32. Out: (N, outputs). MONAI's own stem of 7 voxels took most of a step's time, and
    its full width four times the weights: six times slower on a CPU at 32 voxels per side.
    """
    network: nn.Module = resnet10(
        spatial_dims=3,
        n_input_channels=channels,
        num_classes=outputs,
        conv1_t_size=3,
        conv1_t_stride=1,
        widen_factor=0.5,
    )
    return network


def grade_densenet(channels: int, outputs: int) -> nn.Module:
    """3D DenseNet-121 (Huang 2017). In: (N, channels, D, H, W) float32. Out: (N, outputs)."""
    network: nn.Module = DenseNet121(spatial_dims=3, in_channels=channels, out_channels=outputs)
    return network
