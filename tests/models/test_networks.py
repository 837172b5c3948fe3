"""The reference study's networks have its sizes."""

import numpy as np
import pytest
import torch

from gliobench.models.networks import GradeClassifier, MaskSegmenter, as_input


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("shape", [(95, 128, 128), (13, 18, 15), (16, 16, 16)])
def test_the_segmenter_answers_in_exactly_the_input_shape(shape: tuple[int, int, int]) -> None:
    with torch.inference_mode():
        assert MaskSegmenter(shape)(torch.zeros(1, 4, *shape)).shape == (1, *shape)


def test_parameters_counted_by_hand() -> None:
    # k3 convolutions: in * out * 27 + out; transposed k2: in * out * 8 + out; the last one k1.
    segmenter = (4 * 16 * 27 + 16) + (16 * 32 * 27 + 32) + (32 * 64 * 27 + 64) + (64 * 32 * 8 + 32) + (32 * 16 * 8 + 16)
    assert count(MaskSegmenter((95, 128, 128))) == segmenter + 16 + 1
    # 95 x 128 x 128 halved twice is 23 x 32 x 32; 48.2 million in all, as the study's classifier has.
    classifier = (4 * 8 * 27 + 8) + (8 * 16 * 27 + 16) + (16 * 23 * 32 * 32 * 128 + 128) + 129
    assert count(GradeClassifier((95, 128, 128))) == classifier
    assert round(classifier / 1e6, 1) == 48.2


def test_the_input_is_standardised_over_the_brain_alone() -> None:
    image = np.zeros((4, 2, 2, 2), np.uint8)
    image[0, 0] = [[10, 20], [30, 40]]
    voxels = as_input(image)
    # mean 25, deviation of a sample of four: sqrt(500 / 3)
    expected = (np.array([10, 20, 30, 40]) - 25) / np.sqrt(500 / 3)
    assert voxels[0, 0].flatten().tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert not voxels[0, 1].any()
    assert not voxels[1:].any()
