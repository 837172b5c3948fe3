"""Coarser values from finer ones, worked out by hand, and their masks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.chain import coarsen, coarser, to_mask
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon

FRAME = SliceFrame("axial", 3, (12, 16), (1.0, 1.0))


def _mask(*pixels: tuple[int, int]) -> Mask:
    array = np.zeros(FRAME.shape, dtype=bool)
    for pixel in pixels:
        array[pixel] = True
    return Mask(FRAME, array)


def _pixels(value: Box | Polygon | Mask) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in np.argwhere(to_mask(value).pixels)]


def test_coarser_tasks() -> None:
    assert coarser("mask") == ("mask", "polygon", "box", "centre")
    assert coarser("box") == ("box", "centre")
    assert coarser("centre") == ("centre",)
    assert coarser("grade") == ("grade",)


def test_from_a_mask_each_value_comes_from_its_pixels() -> None:
    mask = _mask((2, 3), (2, 4), (3, 3), (3, 4), (9, 10))  # two components: the polygon traces the larger one only
    assert coarsen(mask, "mask") is mask
    assert coarsen(mask, "box") == Box(FRAME, 2, 3, 9, 10)
    assert coarsen(mask, "centre") == Point(FRAME, 5.5, 6.5)
    outline = coarsen(mask, "polygon")
    assert isinstance(outline, Polygon)
    assert _pixels(outline) == [(2, 3), (2, 4), (3, 3), (3, 4)]


def test_by_way_of_the_polygon_one_component_gives_the_same_box() -> None:
    mask = _mask(*((row, column) for row in range(2, 8) for column in range(3, 9 + row % 2)))
    outline = coarsen(mask, "polygon")
    assert outline is not None
    assert coarsen(outline, "box") == coarsen(mask, "box")
    assert coarsen(outline, "centre") == coarsen(mask, "centre")


def test_from_polygon_and_box() -> None:
    outline = Polygon(FRAME, ((1.5, 4), (3, 9.25), (8, 2)))
    assert coarsen(outline, "polygon") is outline
    assert coarsen(outline, "box") == Box(FRAME, 1.5, 2, 8, 9.25)
    assert coarsen(outline, "centre") == Point(FRAME, 4.75, 5.625)
    assert coarsen(Box(FRAME, 2, 3, 5, 3), "centre") == Point(FRAME, 3.5, 3)
    point = Point(FRAME, 1, 2)
    assert coarsen(point, "centre") is point


@pytest.mark.parametrize("task", ["mask", "polygon", "box", "centre"])
def test_nothing_follows_from_an_empty_mask(task: str) -> None:
    assert coarsen(_mask(), task) is None


def test_a_finer_value_never_follows_from_a_coarser_one() -> None:
    with pytest.raises(ValueError, match="Box gives no polygon"):
        coarsen(Box(FRAME, 0, 0, 1, 1), "polygon")
    with pytest.raises(ValueError, match="Grade gives no centre"):
        coarsen(Grade(1), "centre")


def test_the_edges_of_a_box_are_inside_it() -> None:
    assert _pixels(Box(FRAME, 2, 3, 3, 4)) == [(2, 3), (2, 4), (3, 3), (3, 4)]
    assert _pixels(Box(FRAME, 2.5, 3.4, 2.5, 3.6)) == [(3, 3), (3, 4)]  # rounded, halves up


def test_what_lies_outside_the_frame_is_cut() -> None:
    assert _pixels(Box(FRAME, -4, 14, 0, 99)) == [(0, 14), (0, 15)]
    assert _pixels(Box(FRAME, 20, 20, 30, 30)) == []
    assert _pixels(Box(FRAME, -9, -9, -3, -3)) == []


def test_a_polygon_holds_its_outline() -> None:
    triangle: NDArray[np.bool_] = to_mask(Polygon(FRAME, ((0, 0), (0, 4), (4, 0)))).pixels
    assert np.array_equal(triangle[:5, :5], np.tri(5, dtype=bool)[::-1])
    assert triangle.sum() == 15


def test_only_areas_have_a_mask() -> None:
    with pytest.raises(TypeError, match="Point"):
        to_mask(Point(FRAME, 1, 1))
