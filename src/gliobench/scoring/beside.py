"""An answer about a slice paired with its truth, as its task is compared."""

from collections.abc import Callable
from typing import Any

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area
from gliobench.scoring.truth import SliceTruth, fill
from gliobench.tasks.box import BOX
from gliobench.tasks.chain import coarsen
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import TASKS

Pair = tuple[Any, Any]


def beside(task: str, value: Value | None, answered: bool, frame: SliceFrame, truth: SliceTruth) -> Compared:
    """The input of the metrics of `task`, from an answer to it or to a finer task; `value` None: there is no tumour."""
    own = None if value is None else coarsen(value, task)
    answer, true = PAIRS.get(TASKS[task].compared_as, _values)(task, own, frame, truth)
    return Compared(answer if answered else None, true, frame.spacing_mm, answered, frame)


def _areas(task: str, own: Value | None, frame: SliceFrame, truth: SliceTruth) -> Pair:
    return Area(fill(own, frame)), truth.area(task)


def _places(task: str, own: Value | None, frame: SliceFrame, truth: SliceTruth) -> Pair:
    return own, truth.of(BOX.name)


def _values(task: str, own: Value | None, frame: SliceFrame, truth: SliceTruth) -> Pair:
    return own, truth.of(task)


# By `compared_as`; tasks of other packages with another one are compared by their values.
PAIRS: dict[str, Callable[[str, Value | None, SliceFrame, SliceTruth], Pair]] = {"area": _areas, "place": _places}
