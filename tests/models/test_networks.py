"""The reference study's networks have its sizes; every network answers in the shape that its task asks for."""

import copy

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from gliobench.models.networks import NETWORKS
from gliobench.models.networks.fast import fast
from gliobench.models.networks.input import as_input
from gliobench.models.networks.monai import Padded
from gliobench.models.networks.reference_study import GradeClassifier, MaskSegmenter
from gliobench.models.networks.weights import own_tensors, restore


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("shape", [(95, 128, 128), (13, 18, 15), (16, 16, 16)])
def test_the_segmenter_answers_in_exactly_the_input_shape(shape: tuple[int, int, int]) -> None:
    with torch.inference_mode():
        assert MaskSegmenter()(torch.zeros(1, 4, *shape)).shape == (1, 1, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_answers_in_its_tasks_shape(name: str) -> None:
    shape = (32, 35, 33)  # DenseNet halves five times
    network, outputs = NETWORKS[name], 3 if NETWORKS[name].task == "mask" else 1
    with torch.inference_mode():
        logits = network.build(shape, 4, outputs).eval()(torch.zeros(2, 4, *shape))
    assert logits.shape == ((2, 3, *shape) if network.task == "mask" else (2, 1))


@pytest.mark.parametrize("name", [*NETWORKS])
def test_a_network_takes_as_few_voxels_as_it_says_and_no_fewer(name: str) -> None:
    network = NETWORKS[name]

    def takes(shape: tuple[int, int, int]) -> bool:
        try:
            with torch.device("meta"), torch.no_grad():
                network.build(shape, 4, 1).eval()(torch.empty((1, 4, *shape)))
        except (RuntimeError, ValueError):
            return False
        return True

    few = network.shortest
    for shape in ((few, 40, 40), (40, few, few), (few, few, max(few, network.longest))):
        assert takes(shape)
        assert network.too_small(shape) is None
    if few > 1:
        assert not takes((40, few - 1, 40))
        assert network.too_small((40, few - 1, 40)) == f"{few} voxels or more along every axis"
    if network.longest > 1:
        assert not takes((network.longest - 1,) * 3)
        assert network.too_small((network.longest - 1,) * 3) == f"{network.longest} voxels or more along one axis"


def test_padding_is_cut_away_again() -> None:
    # A network that gives back what it gets: what is put around must not be seen.
    image = torch.arange(4 * 5 * 6 * 7, dtype=torch.float32).reshape(1, 4, 5, 6, 7)
    seen: list[torch.Size] = []

    class Same(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(batch.shape)
            return batch

    assert torch.equal(Padded(Same(), 4)(image), image)
    assert seen == [torch.Size((1, 4, 8, 8, 8))]


@pytest.mark.parametrize("name", ["dynunet", "grade-resnet"])
def test_a_fast_network_has_the_same_answers_and_gradients(name: str) -> None:
    shape = (24, 24, 24)
    image = torch.randn(1, 2, *shape, generator=torch.Generator().manual_seed(0))
    plain = NETWORKS[name].build(shape, 2, 1).double()
    quick = copy.deepcopy(plain).float()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        found = fast(quick)(image)
    wanted = plain(image.double())
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
    for answer in (wanted, found):
        answer.square().sum().backward()
    largest = max(parameter.grad.abs().max() for parameter in plain.parameters())
    for one, other in zip(plain.parameters(), quick.parameters(), strict=True):
        torch.testing.assert_close(other.grad.double(), one.grad, rtol=1e-3, atol=1e-3 * largest)
    kernels = {event.key for event in profiled.key_averages()}
    assert "aten::mkldnn_convolution" in kernels
    assert "aten::slow_conv3d_forward" not in kernels


def test_weights_that_a_network_keeps_in_two_places_come_back() -> None:
    # DynUNet names its layers twice; safetensors refuses tensors that share memory.
    first, second = (NETWORKS["dynunet"].build((16, 16, 16), 4, 1).eval() for _ in range(2))
    restore(second, own_tensors(first))
    image = torch.randn(1, 4, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(first(image), second(image))
    with pytest.raises(ValueError, match="names differ"):
        restore(NETWORKS["segresnet"].build((16, 16, 16), 4, 1), own_tensors(first))


def test_parameters_counted_by_hand() -> None:
    # k3 convolutions: in * out * 27 + out; transposed k2: in * out * 8 + out; the last one k1.
    segmenter = (4 * 16 * 27 + 16) + (16 * 32 * 27 + 32) + (32 * 64 * 27 + 64) + (64 * 32 * 8 + 32) + (32 * 16 * 8 + 16)
    assert count(MaskSegmenter()) == segmenter + 16 + 1
    # The study's code has k3 there too.
    assert count(NETWORKS["mask-segmenter-as-coded"].build((95, 128, 128), 4, 1)) == segmenter + 16 * 27 + 1 == 91_921
    # 95 x 128 x 128 halved twice is 23 x 32 x 32; 48.2 million in all, as the study's classifier has.
    classifier = (4 * 8 * 27 + 8) + (8 * 16 * 27 + 16) + (16 * 23 * 32 * 32 * 128 + 128) + 129
    assert count(GradeClassifier((95, 128, 128))) == classifier
    assert round(classifier / 1e6, 1) == 48.2


def test_the_classifier_as_coded_is_linear_behind_its_convolutions_and_the_reports_is_not() -> None:
    features = torch.randn(2, 16 * 2 * 3 * 4, generator=torch.Generator().manual_seed(0))
    for name, linear in (("grade-classifier-as-coded", True), ("grade-classifier", False)):
        network = NETWORKS[name].build((8, 12, 16), 4, 1)
        assert isinstance(network, GradeClassifier)
        head = network.head.double()
        with torch.inference_mode():
            # Of a linear function f and its offset f(0): f(a) + f(b) = f(a + b) + f(0).
            one, other, both, none = (
                head(x.double()) for x in (*features[:, None], features.sum(0)[None], features[:1] * 0)
            )
        assert torch.allclose(one + other, both + none, atol=1e-9) == linear


def test_the_input_is_standardised_over_the_brain_alone() -> None:
    image = np.zeros((4, 2, 2, 2), np.uint8)
    image[0, 0] = [[10, 20], [30, 40]]
    voxels = as_input(image)
    # mean 25, deviation of a sample of four: sqrt(500 / 3)
    expected = (np.array([10, 20, 30, 40]) - 25) / np.sqrt(500 / 3)
    assert voxels[0, 0].flatten().tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert not voxels[0, 1].any()
    assert not voxels[1:].any()


def test_prepared_intensities_are_the_greys_from_0_to_1() -> None:
    image = np.zeros((4, 1, 1, 3), np.uint8)
    image[2] = [0, 51, 255]
    voxels = as_input(image, "prepared")
    assert voxels.dtype == torch.float32
    assert voxels[2].flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert not voxels[[0, 1, 3]].any()
