"""Images and masks on other grids than the first: cases worked out by hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gliobench.cohort.align import Volume
from gliobench.cohort.resample import resampled_onto_first, resampling_fault


def grid(shape: tuple[int, int, int], spacing_mm: float = 1.0, origin_mm: float = 10.0) -> Volume:
    """A ramp along x whose value is the position of the voxel's centre in millimetres."""
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = origin_mm
    x_mm = origin_mm + spacing_mm * np.arange(shape[0], dtype=np.float32)
    return np.broadcast_to(x_mm[:, None, None], shape).copy(), affine


REFERENCE = grid((8, 8, 8))


def onto(volume: Volume, name: str = "t1", reference: Volume = REFERENCE) -> tuple[Volume, tuple[str, ...]]:
    volumes, notes = resampled_onto_first({"flair": reference, name: volume})
    return volumes[name], notes


def test_a_ramp_is_the_same_ramp_on_a_finer_grid() -> None:
    coarse = grid((6, 6, 6), 2.0, 9.0)  # covers 8 to 20 mm, the reference 9.5 to 17.5
    (voxels, affine), notes = onto(coarse)
    assert np.allclose(voxels, REFERENCE[0])  # linear interpolation is exact on a ramp
    assert np.array_equal(affine, REFERENCE[1])
    assert notes == ("t1 was resampled onto the grid of flair (linear interpolation), as their affines say",)


def test_half_a_voxel_off_is_the_mean_of_two() -> None:
    voxels, affine = np.zeros((8, 8, 8), np.int16), REFERENCE[1].copy()
    voxels[4] = 7
    affine[0, 3] -= 0.5  # the reference's x = i is its i + 0.5
    (found, _), _ = onto((voxels, affine))
    assert found[:, 0, 0].tolist() == [0, 0, 0, 3.5, 3.5, 0, 0, 0]


def test_up_to_the_face_of_the_outer_voxel_its_value_counts_and_beyond_it_is_0() -> None:
    voxels, affine = np.full((15, 16, 16), 5, np.float32), np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = 9.75  # x from 9.5 to 17.0: the centre of the last of the reference's voxels is at its face
    assert (onto((voxels, affine))[0][0] == 5).all()
    wide = np.full((18, 16, 16), 5, np.float32)  # to 18.5 mm: 9 of 10 centres, 10 to 18 mm
    (found, _), notes = onto((wide, affine), reference=grid((10, 8, 8)))
    assert found[:, 0, 0].tolist() == [5] * 9 + [0]
    assert notes[1] == "part of flair lies outside t1, which is 0 there"


def test_a_quarter_turn_is_the_same_as_turning_the_voxels() -> None:
    voxels = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()  # x' = -y, y' = x
    affine[:3, 3] = (17, 10, 10)
    (found, _), _ = onto((voxels, affine))
    # reference index (i, j) at (10 + i, 10 + j) = (17 - y, 10 + x): x = j, y = 7 - i
    expected = np.stack([voxels[:, 7 - i, :] for i in range(8)])
    assert np.allclose(found, expected, atol=1e-5)


def test_a_mask_takes_the_nearest_label_and_keeps_its_type() -> None:
    mask, affine = np.zeros((4, 4, 4), np.uint8), REFERENCE[1] @ np.diag([2.0, 2, 2, 1])
    affine[:3, 3] += 0.5  # each of its voxels covers 2 x 2 x 2 of the reference's
    mask[1, 2, 3] = 4
    (found, _), notes = onto((mask, affine), "mask")
    assert found.dtype == np.uint8
    expected = np.zeros((8, 8, 8), np.uint8)
    expected[2:4, 4:6, 6:8] = 4
    assert np.array_equal(found, expected)
    assert notes == ("mask was resampled onto the grid of flair (nearest label), as their affines say",)


def test_a_mask_of_a_part_is_placed_where_it_belongs() -> None:
    affine = REFERENCE[1].copy()
    affine[:3, 3] += (2, 3, 4)
    (found, _), notes = onto((np.ones((2, 2, 1), np.uint8), affine), "mask")
    assert notes == ("mask was resampled onto the grid of flair (voxel for voxel), as their affines say",)
    expected = np.zeros((8, 8, 8), np.uint8)
    expected[2:4, 3:5, 4] = 1
    assert np.array_equal(found, expected)


def test_a_label_that_falls_between_the_voxels_is_noted() -> None:
    mask, affine = np.ones((31, 31, 31), np.uint8), REFERENCE[1] @ np.diag([0.25, 0.25, 0.25, 1])
    mask[2, 2, 2] = 2  # at 10.5 mm, between the centres at 10 and 11
    _, notes = onto((mask, affine), "mask")
    assert notes[1] == "some label of the mask has no voxel left on the grid of flair"


def test_labels_beyond_the_image_are_cut_off_and_noted() -> None:
    (found, _), notes = onto(moved(1, (8, 8, 8)), "mask", grid((8, 8, 8)))
    assert notes == ()  # 7 of 8 are too few
    mask, affine = moved(7)
    mask[1:] = 0
    mask[1, 0, :6] = 1  # 64 voxels on the last layer, 6 beyond: 91 %
    (found, _), notes = onto((mask, affine), "mask")
    assert found.sum() == 64
    assert notes[1] == "part of the mask's labels lies outside flair and was cut off"


def test_headers_that_agree_up_to_rounding_change_nothing() -> None:
    volume = (REFERENCE[0] + 1, REFERENCE[1] + 0.0005)
    found, notes = onto(volume)
    assert found is volume
    assert notes == ()


def moved(offset_mm: float, shape: tuple[int, int, int] = (8, 8, 8)) -> Volume:
    affine = REFERENCE[1].copy()
    affine[0, 3] += offset_mm
    return np.ones(shape, np.uint8), affine


@pytest.mark.parametrize(
    ("name", "volume", "reason"),
    [
        ("t1", moved(2), "only 75% of the first image"),
        ("mask", moved(2), "only 75% of its labelled voxels"),
        ("mask", moved(500), "only 0% of its"),
        ("t1", (REFERENCE[0], np.diag([1.0, 1, 0, 1])), "three directions"),
        ("t1", (REFERENCE[0], np.eye(4)), "without position"),
        ("t1", moved(0, (8, 8, 7)), "slices are missing"),
        ("mask", moved(0, (8, 8, 9)), "axes exchanged"),
        ("t1", (np.zeros((8, 8, 8, 2)), REFERENCE[1]), "3 axes"),
    ],
)
def test_what_affines_cannot_say_is_refused(name: str, volume: Volume, reason: str) -> None:
    assert reason in (resampling_fault(name, volume, REFERENCE) or "")
    found, notes = onto(volume, name)
    assert found is volume
    assert notes == ()


def test_just_enough_overlap_is_enough() -> None:
    wide = grid((10, 8, 8))
    assert resampling_fault("t1", moved(1, (12, 8, 8)), wide) is None  # 9 of 10
    assert resampling_fault("t1", moved(2, (12, 8, 8)), wide) is not None
