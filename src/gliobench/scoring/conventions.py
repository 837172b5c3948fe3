"""Whether a model seems to use another coordinate convention than its answers are read by: a warning, no metric."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answered
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.chain import box_of, coarsen
from gliobench.tasks.coordinates import AS_ASKED, FAMILIES, Coordinates
from gliobench.tasks.geometry import Box, Point, Value
from gliobench.tasks.registry import TASKS

CANDIDATES = tuple(
    dict.fromkeys([AS_ASKED, *FAMILIES.values(), *(Coordinates("x-first", scale) for scale in ("pixels", "fractions"))])
    | {Coordinates("row-first", scale): None for scale in ("fractions", "percent", "multiples-of-28")}
)
MOST = 200  # answers checked, evenly spread
P, GAIN = 0.001, 0.1  # of a sign test over answers, and of the average gain


@dataclass(frozen=True)
class Said:
    """An answer's text with a location, and its truth, in pixels of the slice as shown."""

    task: str
    text: str
    frame: SliceFrame
    truth: Value


def suspicion(name: str, said: Sequence[Said], declared: Coordinates) -> str | None:
    """A sentence where the answers are much nearer to the truth when read by another convention; None otherwise.

    Nearness is the overlap (intersection over union) of boxes, or the distance of two points as a fraction of the
    slice's diagonal. The other convention has to be nearer by 0.1 on average, and in more answers than chance explains
    (sign test, p < 0.001). This uses the truth of test patients, so a person has to decide, and no metric changes.
    """
    looked_at = said[:: math.ceil(len(said) / MOST)] if said else []
    as_read = _nearness(looked_at, declared)
    best, gain = None, GAIN
    for other in CANDIDATES:
        found = _nearness(looked_at, other)
        wins, losses = int((found > as_read).sum()), int((found < as_read).sum())
        if wins <= losses or binomtest(wins, wins + losses).pvalue >= P:
            continue
        if (more := float((found - as_read).mean())) > gain:
            best, gain = other, more
    if best is None:
        return None
    task, called = looked_at[0].task, next((family for family, one in FAMILIES.items() if one == best), _written(best))
    what = "the distance to the centre shrinks by" if task == CENTRE.name else "the overlap with the true box grows by"
    much = f"{gain:.0%} of the slice's diagonal" if task == CENTRE.name else f"{gain:.2f}"
    return (
        f"warning: {name}: {task}: read as {called} instead of {declared.words}, {what} {much} on average over "
        f"{len(looked_at)} answers: if this model uses that convention, declare `coordinates: {called}`"
    )


def _written(coordinates: Coordinates) -> str:
    return f"{{order: {coordinates.order}, scale: {coordinates.scale}}}"


def _nearness(said: Sequence[Said], coordinates: Coordinates) -> NDArray[np.float64]:
    return np.array([_near(one, coordinates) for one in said])


def _near(one: Said, coordinates: Coordinates) -> float:
    """From 1 (equal) down to 0 for disjoint boxes, to -1 for the farthest point. Unread answers have the lowest
    value."""
    answer = TASKS[one.task].parse(one.text, one.frame, False, coordinates)
    value = answer.value if isinstance(answer, Answered) else None
    if one.task == CENTRE.name:
        return 1 - _apart(value, coarsen(one.truth, CENTRE.name)) / math.hypot(*one.frame.shape)
    return 0.0 if value is None else _overlap(box_of(value), box_of(one.truth))


def _apart(value: Value | None, truth: Value | None) -> float:
    assert isinstance(truth, Point)
    if not isinstance(value, Point):
        return math.hypot(*truth.frame.shape)
    return math.hypot(value.row - truth.row, value.column - truth.column)


def _overlap(one: Box | None, two: Box | None) -> float:
    if one is None or two is None:
        return 0.0
    rows = min(one.row_max, two.row_max) - max(one.row_min, two.row_min) + 1
    columns = min(one.column_max, two.column_max) - max(one.column_min, two.column_min) + 1
    both = max(rows, 0) * max(columns, 0)
    return both / (_area(one) + _area(two) - both)


def _area(box: Box) -> float:
    return (box.row_max - box.row_min + 1) * (box.column_max - box.column_min + 1)
