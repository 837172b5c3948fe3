"""Single lesions by hand, and against connected components of another library."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import label

from gliobench.scoring.lesions import METRICS
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area

SHAPE = (30, 30, 30)
Place = tuple[slice, slice, slice]


def cube(first: int, size: int) -> Place:
    """A cube on the array's diagonal."""
    return (slice(first, first + size),) * 3


def mask(*places: Place) -> NDArray[np.bool_]:
    voxels = np.zeros(SHAPE, dtype=bool)
    for place in places:
        voxels[place] = True
    return voxels


def lesions(
    truth: NDArray[np.bool_], answer: NDArray[np.bool_], spacing_mm: tuple[float, ...] = (1.0, 1.0, 1.0)
) -> dict[str, float]:
    compared = Compared(Area(answer), Area(truth), spacing_mm)
    return {metric.id: metric.value(compared) for metric in METRICS}


def test_one_found_one_missed_one_false() -> None:
    """Of two lesions of 64 voxels one is found in half, Dice 2 * 32 / (64 + 32); one voxel elsewhere is false."""
    half = (slice(2, 4), slice(2, 6), slice(2, 6))
    found = lesions(mask(cube(2, 4), cube(20, 4)), mask(half, cube(13, 1)))
    assert found == pytest.approx({
        "lesion_dice": (2 / 3 + 0 + 0) / 3,
        "lesion_f1": 2 * 1 / (2 + 2),  # half of a lesion is an intersection over union of 0.5
        "lesion_recall": 1 / 2,
        "false_positives": 1,
    })  # fmt: skip


def test_less_than_half_of_the_union_is_no_pair() -> None:
    assert lesions(mask(cube(2, 4)), mask((slice(2, 4), slice(2, 6), slice(2, 5))))["lesion_f1"] == 0


def test_every_component_that_touches_counts_against_the_lesion() -> None:
    """27 voxels beside a found lesion: in the third voxel from it they touch it, from the fourth on they are false."""
    truth = mask(cube(2, 4))
    near, far = ((slice(first, first + 3), slice(2, 5), slice(2, 5)) for first in (8, 9))
    assert lesions(truth, truth | mask(near)) == pytest.approx(
        {"lesion_dice": 2 * 64 / (64 + 64 + 27), "lesion_f1": 2 / 3, "lesion_recall": 1, "false_positives": 0}
    )
    assert lesions(truth, truth | mask(far)) == pytest.approx(
        {"lesion_dice": 1 / 2, "lesion_f1": 2 / 3, "lesion_recall": 1, "false_positives": 1}
    )


@pytest.mark.parametrize(("gap", "count"), [(6, 1), (7, 2)])
def test_true_components_that_meet_once_grown_are_one_lesion(gap: int, count: int) -> None:
    """Two cubes with `gap` voxels between them, of which the answer shows one."""
    shown, other = ((slice(first, first + 4), slice(2, 6), slice(2, 6)) for first in (2, 6 + gap))
    found = lesions(mask(shown, other), mask(shown))
    assert found["lesion_recall"] == 1 / count
    assert found["lesion_dice"] == pytest.approx(2 * 64 / (128 + 64) if count == 1 else 1 / 2)


def test_small_lesions_are_neither_found_nor_missed() -> None:
    """50 voxels of 1 mm³ are too few, of 1.1 mm³ enough; a component on them is not false either way."""
    large, small = cube(20, 4), (slice(2, 4), slice(2, 7), slice(2, 7))
    truth = mask(large, small)
    assert lesions(truth, mask(small)) == pytest.approx(
        {"lesion_dice": 0, "lesion_f1": 2 / 3, "lesion_recall": 0, "false_positives": 0}
    )
    assert lesions(truth, mask(small), (1.1, 1.0, 1.0))["lesion_recall"] == 0.5
    alone = lesions(mask(small), mask(small))
    assert alone["lesion_dice"] == 1
    assert np.isnan(alone["lesion_recall"])


def test_a_false_lesion_in_a_patient_without_any() -> None:
    found = lesions(mask(), mask(cube(2, 4), cube(20, 1)))
    assert (found["lesion_dice"], found["lesion_f1"], found["false_positives"]) == (0, 0, 2)


def test_voxels_that_meet_at_a_corner_are_one_component() -> None:
    """As scikit-image counts them with 26 neighbours."""
    voxels = np.random.default_rng(0).random(SHAPE) < 0.04
    assert lesions(mask(), voxels)["false_positives"] == label(voxels, connectivity=3).max()
    assert lesions(mask(), mask(cube(2, 1), cube(3, 1)))["false_positives"] == 1
