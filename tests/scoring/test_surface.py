"""The 95 % Hausdorff distance against MONAI, against brute force, and by hand."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from gliobench.scoring import surface
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area
from gliobench.scoring.surface import find_surface, hausdorff95_mm, surface_dice

SHAPE = (40, 56, 48)
masks_2d = arrays(bool, (9, 11))
masks_3d = arrays(bool, (5, 6, 7))
spacings = st.tuples(*[st.floats(0.3, 5)] * 3)


def monai(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    import torch
    from monai.metrics import compute_hausdorff_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tensors = (torch.from_numpy(mask)[None, None] for mask in (prediction, truth))
        return float(compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing))


def brute_force(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    outlines = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, truth)]
    distances = cdist(*(np.argwhere(outline) * spacing for outline in outlines))
    return max(float(np.percentile(distances.min(axis=axis), 95)) for axis in (0, 1))


def blob(seed: int, middle: tuple[float, ...], radii: tuple[float, ...], roughness: float) -> NDArray[np.bool_]:
    random = np.random.default_rng(seed)
    grid = np.indices(SHAPE).reshape(3, -1).T
    level = np.linalg.norm((grid - middle) / radii, axis=1).reshape(SHAPE)
    return np.asarray(level + roughness * random.standard_normal(SHAPE) < 1)


PAIRS = {
    "ragged": (blob(0, (20, 28, 24), (14, 20, 18), 0.15), blob(1, (19, 30, 23), (14, 19, 19), 0.15)),
    "ragged, apart": (blob(0, (15, 18, 18), (14, 18, 18), 0.2), blob(1, (28, 38, 30), (9, 12, 10), 0.2)),
    "smooth": (blob(0, (20, 28, 24), (14, 20, 18), 0), blob(0, (20, 30, 24), (12, 20, 19), 0)),
    "small": (blob(0, (20, 28, 24), (4, 3, 5), 0.1), blob(1, (21, 28, 26), (3, 3, 4), 0.1)),
    "cut by the border": (blob(0, (0, 28, 47), (14, 20, 18), 0.1), blob(1, (2, 30, 40), (14, 19, 19), 0.1)),
    "far apart": (blob(0, (5, 6, 6), (3, 4, 4), 0), blob(0, (34, 50, 42), (3, 4, 4), 0)),
    "one voxel": (blob(0, (5, 6, 6), (0.5, 0.5, 0.5), 0), blob(0, (20, 28, 24), (14, 20, 18), 0)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.2, 1.1), (5.0, 0.7, 0.9)])
def test_equals_monai_to_four_decimals(name: str, spacing: tuple[float, float, float]) -> None:
    prediction, truth = PAIRS[name]
    assert hausdorff95_mm(prediction, truth, spacing) == pytest.approx(monai(prediction, truth, spacing), abs=5e-5)


@pytest.mark.parametrize("name", ["ragged", "ragged, apart"])
def test_every_way_of_searching_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = brute_force(*PAIRS[name], (1.5, 1.2, 1.1))
    for few, window in ((10**9, 0), (0, 0), (0, 100)):  # plain tree, pruned tree, window of the grid
        monkeypatch.setattr(surface, "FEW_POINTS", few)
        monkeypatch.setattr(surface, "WINDOW_VOXELS", window)
        assert hausdorff95_mm(*PAIRS[name], (1.5, 1.2, 1.1)) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("index", [10, 20, 30])
def test_slices_equal_monai(index: int) -> None:
    prediction, truth = (mask[index] for mask in PAIRS["ragged"])
    assert hausdorff95_mm(prediction, truth, (1.2, 0.8)) == pytest.approx(
        monai(prediction, truth, (1.2, 0.8)), abs=5e-5
    )


@pytest.mark.realdata
def test_real_tumours_equal_monai(shared: Path) -> None:
    """A patient's whole tumour against its core (label 1 and 4), and against another patient's."""
    import nibabel

    files = sorted((shared / "cohort_2mm").glob("*/*/*_seg.nii*"))[:4]
    assert len(files) == 4
    labels = [np.asarray(nibabel.load(file).dataobj) for file in files]
    for one, other in zip(labels, [*labels[1:], labels[0]], strict=True):
        for prediction, truth in (((one > 0) & (one != 2), one > 0), (other > 0, one > 0)):
            expected = monai(prediction, truth, (2.0, 2.0, 2.0))
            assert hausdorff95_mm(prediction, truth, (2.0, 2.0, 2.0)) == pytest.approx(expected, abs=5e-5)


def test_two_pixels_by_hand() -> None:
    one, other = np.zeros((10, 10), dtype=bool), np.zeros((10, 10), dtype=bool)
    one[2, 1], other[5, 5] = True, True
    assert hausdorff95_mm(one, other, (1.0, 1.0)) == 5  # rows 3, columns 4
    assert hausdorff95_mm(one, other, (2.0, 0.25)) == pytest.approx(37**0.5)  # 6 mm and 1 mm


def test_percentile_by_hand() -> None:
    """A line of 21 pixels against its first pixel: distances 0 to 20, whose 95th percentile is 19."""
    line, first = np.zeros((3, 30), dtype=bool), np.zeros((3, 30), dtype=bool)
    line[1, :21], first[1, 0] = True, True
    assert hausdorff95_mm(line, first, (1.0, 1.0)) == pytest.approx(19)


def test_empty_masks() -> None:
    empty, full = np.zeros((4, 5, 7), dtype=bool), np.ones((4, 5, 7), dtype=bool)
    diagonal = ((3 * 2) ** 2 + 4**2 + (6 * 0.5) ** 2) ** 0.5
    assert hausdorff95_mm(empty, empty, (2.0, 1.0, 0.5)) == 0
    assert hausdorff95_mm(empty, full, (2.0, 1.0, 0.5)) == pytest.approx(diagonal)
    assert hausdorff95_mm(full, empty, (2.0, 1.0, 0.5)) == pytest.approx(diagonal)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="spacing"):
        hausdorff95_mm(np.ones((3, 4), dtype=bool), np.ones((4, 3), dtype=bool), (1.0, 1.0))


@given(st.one_of(masks_2d, masks_3d))
def test_surface_is_mask_minus_erosion(mask: NDArray[np.bool_]) -> None:
    outline = np.zeros_like(mask)
    outline[tuple(find_surface(mask).points.T)] = True
    np.testing.assert_array_equal(outline, mask & ~ndimage.binary_erosion(mask))


@given(masks_3d, masks_3d, spacings)
def test_symmetric_bounded_and_equal_to_brute_force(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> None:
    distance = hausdorff95_mm(first, second, spacing)
    assert distance == hausdorff95_mm(second, first, spacing)
    assert 0 <= distance <= surface.diagonal_mm(first.shape, spacing) + 1e-9
    assert hausdorff95_mm(first, first, spacing) == 0
    if first.any() and second.any():
        assert distance == pytest.approx(brute_force(first, second, spacing))


def near(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    return surface_dice(Compared(Area(prediction), Area(truth), spacing))


def monai_near(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    import torch
    from monai.metrics import compute_surface_dice

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        pair = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)]
        return float(compute_surface_dice(*pair, class_thresholds=[2.0], include_background=True, spacing=spacing))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.4, 0.9)])
def test_surface_dice_equals_monai(name: str, spacing: tuple[float, float, float]) -> None:
    prediction, truth = PAIRS[name]
    assert near(prediction, truth, spacing) == pytest.approx(monai_near(prediction, truth, spacing), abs=1e-6)
    slices = prediction[:, 28], truth[:, 28]
    if slices[0].any() and slices[1].any():
        expected = monai_near(*slices, (spacing[0], spacing[2]))
        assert near(*slices, (spacing[0], spacing[2])) == pytest.approx(expected, abs=1e-6)


def test_surface_dice_by_hand() -> None:
    """A line of 21 pixels against its first pixel: within 2 mm are three of its own and the other one."""
    line, first = np.zeros((3, 30), dtype=bool), np.zeros((3, 30), dtype=bool)
    line[1, :21], first[1, 0] = True, True
    assert near(line, first, (1.0, 1.0)) == (3 + 1) / (21 + 1)
    assert near(line, first, (1.0, 2.01)) == (1 + 1) / (21 + 1)


@pytest.mark.parametrize("first", range(9))
def test_a_point_at_the_tolerance_is_within_it(first: int) -> None:
    """20 steps of 0.1 mm, wherever they begin: 30 * 0.1 - 10 * 0.1 is a little more than 2."""
    one, other = np.zeros((1, 40), dtype=bool), np.zeros((1, 40), dtype=bool)
    one[0, first + 5], other[0, first + 25] = True, True
    assert near(one, other, (1.0, 0.1)) == 1
