"""Distances of a point from the tumour's box and its centre; `docs/scoring.md` says what missing ones give."""

import math
from functools import partial

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.metric import AnswerMetric, Compared, percentile95
from gliobench.tasks.geometry import Box, Point


def diagonal_mm(box: Box) -> float:
    """From one outer corner of the box to the opposite one, edge pixels included; never 0."""
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


def _in_box(place: Compared) -> float:
    return float(distance_to_box_mm(place.answer, place.truth) == 0)


def _to_box(place: Compared) -> float:
    return distance_to_box_mm(place.answer, place.truth)


def _to_centre(place: Compared) -> float:
    return distance_to_centre_mm(place.answer, place.truth)


def _relative(place: Compared) -> float:
    """The distance to the centre in diagonals of the box."""
    return distance_to_centre_mm(place.answer, place.truth) / diagonal_mm(place.truth)


def _slice_mm(place: Compared) -> float:
    """The slice's diagonal, the largest possible distance: for wrong answers without a distance."""
    assert place.frame is not None
    return place.frame.diagonal_mm


def _slice_relative(place: Compared) -> float:
    """The slice's diagonal in diagonals of the box; without a tumour the slice is the box."""
    return _slice_mm(place) / diagonal_mm(place.truth) if place.truth else 1.0


_distance = partial(
    AnswerMetric, unit="mm", better="lower", of="place", unanswered=_slice_mm, one_empty=_slice_mm, both_empty=0.0
)
METRICS = (
    AnswerMetric("in_box", "in box", "share", "higher", "place", _in_box, 0.0, one_empty=0.0, both_empty=1.0),
    _distance("distance_to_box_mm", "distance to box", measure=_to_box),
    _distance("distance_to_centre_mm", "distance to centre", measure=_to_centre),
    AnswerMetric(
        *("relative_distance", "relative distance", "share", "lower", "place", _relative),
        unanswered=_slice_relative,
        one_empty=_slice_relative,
        both_empty=0.0,
    ),
    _distance("distance_to_box_p95_mm", "distance to box p95", measure=_to_box, over_slices=percentile95),
    _distance("distance_to_centre_p95_mm", "distance to centre p95", measure=_to_centre, over_slices=percentile95),
)
