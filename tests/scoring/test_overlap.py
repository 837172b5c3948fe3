"""Overlap by hand, against MONAI and scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score

from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import METRICS, Area

masks = arrays(bool, (6, 7))


def overlap(answer: Area, truth: Area) -> dict[str, float]:
    compared = Compared(answer, truth, (1.0,) * truth.pixels.ndim)
    return {metric.id: metric.value(compared) for metric in METRICS}


def test_by_hand() -> None:
    answer, truth = np.zeros((10, 10), dtype=bool), np.zeros((10, 10), dtype=bool)
    answer[0:4, 0:5], truth[2:5, 0:10] = True, True  # 20 and 30 pixels, 10 of them shared
    figures = overlap(Area(answer), Area(truth))
    assert figures == pytest.approx({"dice": 0.4, "precision": 0.5, "recall": 1 / 3, "specificity": 60 / 70})


def test_dice_equals_monai() -> None:
    import torch
    from monai.metrics import compute_dice

    random = np.random.default_rng(0)
    answer, truth = random.random((9, 12, 11)) < 0.4, random.random((9, 12, 11)) < 0.6
    expected = compute_dice(*(torch.from_numpy(mask)[None, None] for mask in (answer, truth)), include_background=True)
    assert overlap(Area(answer), Area(truth))["dice"] == pytest.approx(float(expected), abs=1e-6)


@given(masks, masks)
def test_equals_scikit_learn(answer: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
    assume(answer.any() and truth.any() and not truth.all())
    figures, flat = overlap(Area(answer), Area(truth)), (truth.ravel(), answer.ravel())
    assert figures["dice"] == pytest.approx(f1_score(*flat, zero_division=0))
    assert figures["precision"] == pytest.approx(precision_score(*flat, zero_division=0))
    assert figures["recall"] == pytest.approx(recall_score(*flat))
    assert figures["specificity"] == pytest.approx(recall_score(*flat, pos_label=False))


@given(masks, masks)
def test_symmetric_and_within_bounds(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> None:
    one, other = overlap(Area(first), Area(second)), overlap(Area(second), Area(first))
    assert one["dice"] == other["dice"]
    assert (one["precision"], one["recall"]) == (other["recall"], other["precision"])
    assert all(0 <= value <= 1 for value in one.values())
    assert overlap(Area(first), Area(first))["dice"] == 1


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="shape"):
        overlap(Area(np.ones((3, 4), dtype=bool)), Area(np.ones((4, 3), dtype=bool)))
