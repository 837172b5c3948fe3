"""BraTS's three regions and its convention for empty ones."""

import numpy as np
import pytest
from monai.metrics import compute_dice, compute_hausdorff_distance

from gliobench.grid.regions import region_mask
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area
from gliobench.scoring.registry import metrics_of
from gliobench.scoring.surface import PENALTY_MM

LABELS = np.array([[0, 1, 2], [4, 4, 2]], np.uint8)


def score_region(answer: Area, truth: Area, spacing_mm: tuple[float, ...]) -> dict[str, float]:
    compared = Compared(answer, truth, spacing_mm, inner=True)
    return {metric.id: metric.value(compared) for metric in metrics_of("area")}


def test_the_regions_by_hand() -> None:
    assert region_mask(LABELS, "whole").tolist() == [[False, True, True], [True, True, True]]
    assert region_mask(LABELS, "core").tolist() == [[False, True, False], [True, True, False]]
    assert region_mask(LABELS, "enhancing").tolist() == [[False, False, False], [True, True, False]]
    # BraTS 2023 and later call enhancing tumour 3.
    assert region_mask(np.where(LABELS == 4, 3, LABELS).astype(np.uint8), "enhancing").sum() == 2


def test_empty_regions() -> None:
    nothing, something = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    spacing = (1.0, 1.0, 1.0)
    both = score_region(Area(nothing), Area(nothing), spacing)
    assert (both["dice"], both["hd95_mm"]) == (1.0, 0.0)
    for answer, truth in ((nothing, something), (something, nothing)):
        figures = score_region(Area(answer), Area(truth), spacing)
        assert (figures["dice"], figures["hd95_mm"]) == (0.0, PENALTY_MM)
    assert pytest.approx(373.1287) == PENALTY_MM


def test_against_monai() -> None:
    import torch

    random = np.random.default_rng(0)
    answer, truth = (random.random((12, 14, 10)) > 0.7 for _ in range(2))
    found = score_region(Area(answer), Area(truth), (2.0, 1.0, 1.5))
    pair = [torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (answer, truth)]
    assert found["dice"] == pytest.approx(compute_dice(*pair).item(), abs=1e-6)
    distance = compute_hausdorff_distance(*pair, percentile=95, spacing=(2.0, 1.0, 1.5))
    assert found["hd95_mm"] == pytest.approx(distance.item(), abs=1e-4)
