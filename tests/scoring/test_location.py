"""Distances of points by hand, and against clipping to the rectangle."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.location import METRICS, distance_to_box_mm, distance_to_centre_mm
from gliobench.scoring.metric import Compared
from gliobench.tasks.geometry import Box, Point

FRAME = SliceFrame("axial", 3, (128, 100), (2.0, 0.5))
BOX = Box(FRAME, 10, 20, 30, 60)


def score(point: Point | None, box: Box, answered: bool = True) -> dict[str, float]:
    compared = Compared(point, box, FRAME.spacing_mm, answered, FRAME)
    return {metric.id: metric.value(compared) for metric in METRICS if "_p95_" not in metric.id}


@pytest.mark.parametrize(
    ("row", "column", "in_box", "to_box", "to_centre"),
    [
        (20, 40, 1, 0, 0),  # the middle
        (30, 60, 1, 0, math.hypot(10 * 2, 20 * 0.5)),  # a corner is inside
        (33, 40, 0, 6, 26),  # 3 rows below
        (20, 10, 0, 5, 15),  # 10 columns to the left
        (6, 72, 0, math.hypot(4 * 2, 12 * 0.5), math.hypot(14 * 2, 32 * 0.5)),  # past a corner: 8 and 6 mm
    ],
)
def test_by_hand(row: float, column: float, in_box: float, to_box: float, to_centre: float) -> None:
    figures = score(Point(FRAME, row, column), BOX)
    diagonal = math.hypot(21 * 2, 41 * 0.5)  # 21 rows and 41 columns, both edges' pixels whole
    assert figures == pytest.approx(
        {
            "in_box": in_box,
            "distance_to_box_mm": to_box,
            "distance_to_centre_mm": to_centre,
            "relative_distance": to_centre / diagonal,
        }
    )


def test_relative_distance_to_a_tumour_of_one_pixel_is_finite() -> None:
    figures = score(Point(FRAME, 10, 23), Box(FRAME, 10, 20, 10, 20))
    assert figures["relative_distance"] == pytest.approx(1.5 / math.hypot(2, 0.5))


def test_relative_distance_of_a_missing_answer_is_the_slices_diagonal_in_boxes() -> None:
    figures = score(None, BOX, answered=False)
    assert figures["relative_distance"] == pytest.approx(math.hypot(127 * 2, 99 * 0.5) / math.hypot(42, 20.5))


def test_middle_of_a_box_of_even_height_lies_between_pixels() -> None:
    assert distance_to_centre_mm(Point(FRAME, 10, 20), Box(FRAME, 10, 20, 11, 20)) == pytest.approx(1.0)


@given(st.floats(-20, 150), st.floats(-20, 150))
def test_the_nearest_point_of_the_box_is_the_clipped_one(row: float, column: float) -> None:
    nearest = Point(FRAME, min(max(row, 10), 30), min(max(column, 20), 60))
    expected = math.hypot((row - nearest.row) * 2, (column - nearest.column) * 0.5)
    assert distance_to_box_mm(Point(FRAME, row, column), BOX) == pytest.approx(expected, abs=1e-9)
    assert distance_to_box_mm(nearest, BOX) == 0
