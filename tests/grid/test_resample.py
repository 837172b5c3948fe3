"""The sampling and the affine say the same; checked against SciPy and by hand."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from gliobench.cohort.subject import RawSubject
from gliobench.grid.resample import Placement, Scan, centred, nearest, orient, trilinear

ORIENTATIONS = [
    "".join(codes) for pairs in itertools.permutations(("LR", "PA", "SI")) for codes in itertools.product(*pairs)
]


def raw_of(images: np.ndarray, affine: np.ndarray) -> RawSubject:
    return RawSubject("somebody", None, images, images[0].astype(np.uint8), affine, "")


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_keeps_each_voxel_in_its_place_in_the_world(codes: str) -> None:
    start, wanted = nib.orientations.axcodes2ornt("LPS"), nib.orientations.axcodes2ornt(tuple(codes))
    voxels = np.random.default_rng(0).integers(1, 100, (5, 6, 7))
    affine = np.array([[-2.0, 0.1, 0, 3], [0.1, -3.0, 0.2, 4], [0, 0.2, 1.5, 5], [0, 0, 0, 1]])
    turn = nib.orientations.ornt_transform(start, wanted)
    turned = nib.orientations.apply_orientation(voxels, turn)
    scan = orient(raw_of(np.stack([turned] * 4), affine @ nib.orientations.inv_ornt_aff(turn, voxels.shape)))
    assert np.array_equal(scan.images[2], voxels.transpose())
    assert np.array_equal(scan.labels, voxels.transpose())
    assert np.allclose(scan.affine @ [4, 3, 2, 1], affine @ [2, 3, 4, 1], atol=1e-12)
    assert np.allclose(scan.spacing_mm, np.linalg.norm(affine[:3, [2, 1, 0]], axis=0))


@given(st.tuples(*[st.floats(-3, 6)] * 3), st.tuples(*[st.floats(0.2, 3)] * 3), st.tuples(*[st.integers(1, 7)] * 3))
def test_trilinear_equals_scipy_wherever_the_grid_lies(
    start: tuple[float, float, float], step: tuple[float, float, float], shape: tuple[int, int, int]
) -> None:
    images = np.random.default_rng(0).normal(size=(2, 5, 6, 1)).astype(np.float32)
    placement = Placement(start, step, shape)
    voxels = np.arange(np.prod(shape))
    coordinates = np.stack(np.meshgrid(*map(placement.along, range(3)), indexing="ij")).reshape(3, -1)
    expected = [map_coordinates(image, coordinates, order=1, mode="nearest") for image in images]
    assert np.allclose(trilinear(images, placement, voxels), expected, atol=1e-4)


def test_nearest_takes_the_voxel_under_the_affine_and_zero_outside() -> None:
    volume = np.arange(1, 1 + 4 * 5 * 6).reshape(4, 5, 6)
    placement = Placement((-1.2, 0.0, 0.6), (1.0, 2.0, 1.0), (4, 3, 2))
    sampled = nearest(volume, placement)
    assert not sampled[0].any()  # index -1.2 is outside
    assert np.array_equal(sampled[1:], volume[0:3, 0:6:2, 1:3])


def test_half_way_between_two_voxels_nearest_takes_the_upper_one() -> None:
    volume = np.array([10, 20, 30])[:, None, None]
    sampled = nearest(volume, Placement((-0.5, 0.0, 0.0), (1.0, 1.0, 1.0), (4, 1, 1)))
    assert sampled.ravel().tolist() == [10, 20, 30, 0]  # at -0.5, 0.5, 1.5 and 2.5, where the volume has ended


def test_a_grid_centred_on_a_box_has_its_middle_there() -> None:
    scan = Scan(np.zeros((4, 9, 9, 9)), None, np.diag([2.0, 1.0, 0.5, 1.0]))
    placement = centred(np.array([4.0, 4.5, 5.0]), (1.0, 1.0, 1.0), (4, 5, 6), scan)
    assert placement.step == (0.5, 1.0, 2.0)
    middles = [(placement.along(axis)[0] + placement.along(axis)[-1]) / 2 for axis in range(3)]
    assert middles == [4.0, 4.5, 5.0]
    assert np.allclose(placement.affine(scan.affine) @ [1.5, 2, 2.5, 1], scan.affine @ [4.0, 4.5, 5.0, 1])
