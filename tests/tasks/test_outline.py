"""Tracing masks: the rules of the outline, tiny tumours, and how close it comes to real ones."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import disk, polygon2mask

from gliobench.grid.frame import take_slice
from gliobench.tasks.outline import trace_outline

BoolArray = NDArray[np.bool_]


def _dice(one: BoolArray, two: BoolArray) -> float:
    return float(2 * (one & two).sum() / (one.sum() + two.sum()))


def _filled(shape: tuple[int, ...], points: list[tuple[int, int]]) -> BoolArray:
    return np.asarray(polygon2mask(shape, np.array(points)), dtype=bool)


def _disk(radius: float, centre: tuple[int, int] = (32, 32), size: int = 64) -> BoolArray:
    pixels = np.zeros((size, size), dtype=bool)
    pixels[disk(centre, radius, shape=pixels.shape)] = True
    return pixels


def _is_clockwise(points: list[tuple[int, int]]) -> bool:
    rows, columns = np.array(points, dtype=float).T
    return bool(np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows) >= 0)


def test_an_empty_mask_has_no_outline() -> None:
    assert trace_outline(np.zeros((8, 8), dtype=bool)) is None


@pytest.mark.parametrize(
    "pixels",
    [
        [(3, 4)],
        [(3, 4), (3, 5)],
        [(0, 0), (1, 1)],
        [(5, column) for column in range(9)],
        [(row, 7) for row in range(4)],
    ],
)
def test_tiny_tumours_are_traced_to_the_pixel_with_ten_points(pixels: list[tuple[int, int]]) -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[tuple(np.transpose(pixels))] = True
    points = trace_outline(mask)
    assert points is not None
    assert len(points) == 10
    assert np.array_equal(_filled(mask.shape, points), mask)


def test_a_rectangle_keeps_its_corners_and_starts_at_the_top_left() -> None:
    mask = np.zeros((40, 50), dtype=bool)
    mask[10:21, 5:36] = True
    points = trace_outline(mask)
    assert points is not None
    assert points[0] == (10, 5)
    corners = [point for point in points if point in {(10, 5), (10, 35), (20, 35), (20, 5)}]
    assert corners == [(10, 5), (10, 35), (20, 35), (20, 5)]  # clockwise
    assert np.array_equal(_filled(mask.shape, points), mask)


def test_larger_and_more_irregular_outlines_get_more_points() -> None:
    small, large = trace_outline(_disk(5)), trace_outline(_disk(30))
    star = np.add.outer(np.arange(-31, 32) ** 2, np.arange(-31, 32) ** 2).astype(float)
    angle = np.arctan2(*np.meshgrid(np.arange(-31, 32), np.arange(-31, 32), indexing="ij"))
    irregular = trace_outline(np.sqrt(star) < 9 + 4 * np.sin(5 * angle))
    assert small is not None
    assert large is not None
    assert irregular is not None
    assert len(small) == 10 < len(large) <= 15
    assert len(irregular) == 15


def test_the_largest_component_is_traced_with_its_holes_filled() -> None:
    mask = _disk(14) & ~_disk(5)
    mask[:4, :4] = True
    points = trace_outline(mask)
    assert points is not None
    assert _dice(_filled(mask.shape, points), _disk(14)) > 0.95
    assert min(points)[0] > 4


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.02, 0.95))
def test_any_mask_gives_a_valid_outline_whose_box_is_its_components_box(
    seed: int, rows: int, columns: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    points = trace_outline(mask)
    if not mask.any():
        assert points is None
        return
    assert points is not None
    assert 10 <= len(points) <= 15
    assert points[0] == min(points)
    assert _filled(mask.shape, points).any()
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    largest = labels == 1 + np.argmax([np.sum(labels == label) for label in range(1, count + 1)])
    where, placed = np.argwhere(largest), np.array(points)
    assert np.array_equal(placed.min(axis=0), where.min(axis=0))
    assert np.array_equal(placed.max(axis=0), where.max(axis=0))
    if rows > 1 and columns > 1 and share > 0.9:  # a thin, winding component may cross itself
        assert _is_clockwise(points)


def _real_slices(shared: Path) -> Iterator[BoolArray]:
    files = [*shared.glob("cohort_1mm/*/*_seg.nii.gz"), *shared.glob("cohort_2mm/*/*/*_seg.nii.gz")]
    for number, path in enumerate(sorted(files)):
        volume = np.asarray(nib.load(path).dataobj).transpose(2, 1, 0) > 0  # stored LPS: (z, y, x)
        plane = ("axial", "coronal", "sagittal")[number % 3]
        axis = number % 3
        for index in np.flatnonzero(volume.any(axis=tuple({0, 1, 2} - {axis}))):
            yield take_slice(volume, plane, int(index))  # type: ignore[arg-type]


@pytest.mark.realdata
def test_filled_outlines_agree_with_real_tumours(shared: Path) -> None:
    """All 38 patients, a third of them in each plane. Over all three planes of all (4,722 slices): median 0.949."""
    scores = []
    for pixels in _real_slices(shared):
        points = trace_outline(pixels)
        assert points is not None
        scores.append(_dice(_filled(pixels.shape, points), pixels))
    assert len(scores) > 1000
    assert np.median(scores) >= 0.94
    assert np.percentile(scores, 5) >= 0.68  # what is lost there are slices with several components
