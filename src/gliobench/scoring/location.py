"""How far a point lies from the tumour's box and its centre; `docs/scoring.md` says what missing ones give."""

import math

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.geometry import Box, Point


def score_point(answer: Point | None, answered: bool, truth: Box | None, frame: SliceFrame) -> dict[str, float]:
    """in_box (0 or 1), distance_to_box_mm, distance_to_centre_mm and relative_distance of one slice.

    `answered` False: no usable answer. An `answer` of None that was answered says that there is no tumour, which is
    right where `truth` is None. Everything wrong that has no distance gets the slice's diagonal.
    """
    if answered and answer is None and truth is None:
        return {"in_box": 1.0, "distance_to_box_mm": 0.0, "distance_to_centre_mm": 0.0, "relative_distance": 0.0}
    if answer is None or truth is None or not answered:
        diagonal = frame.diagonal_mm
        relative = 1.0 if truth is None else diagonal / diagonal_mm(truth)
        return {
            "in_box": 0.0,
            "distance_to_box_mm": diagonal,
            "distance_to_centre_mm": diagonal,
            "relative_distance": relative,
        }
    to_box, to_centre = distance_to_box_mm(answer, truth), distance_to_centre_mm(answer, truth)
    return {
        "in_box": float(to_box == 0),
        "distance_to_box_mm": to_box,
        "distance_to_centre_mm": to_centre,
        "relative_distance": to_centre / diagonal_mm(truth),
    }


def diagonal_mm(box: Box) -> float:
    """From one outer corner of the box to the opposite one, the pixels at its edges counted whole; never 0."""
    return _length_mm(box.row_max - box.row_min + 1, box.column_max - box.column_min + 1, box.frame)


def distance_to_box_mm(point: Point, box: Box) -> float:
    """From a point to the nearest point of the rectangle through the middles of the box's edge pixels; 0 inside."""
    rows = max(box.row_min - point.row, 0.0, point.row - box.row_max)
    columns = max(box.column_min - point.column, 0.0, point.column - box.column_max)
    return _length_mm(rows, columns, box.frame)


def distance_to_centre_mm(point: Point, box: Box) -> float:
    """From a point to the centre of the box."""
    rows = point.row - (box.row_min + box.row_max) / 2
    columns = point.column - (box.column_min + box.column_max) / 2
    return _length_mm(rows, columns, box.frame)


def _length_mm(rows: float, columns: float, frame: SliceFrame) -> float:
    return math.hypot(rows * frame.spacing_mm[0], columns * frame.spacing_mm[1])
