"""Always the whole slice."""

from collections.abc import Sequence

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.baselines.image_centre import asked_frame
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.box import BOX
from gliobench.tasks.geometry import Box, Polygon
from gliobench.tasks.polygon import POLYGON


def whole_slice(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The box or polygon whose corners are the middles of the slice's corner pixels."""
    return Rule("whole-slice", frozenset({BOX.name, POLYGON.name}), True, {}, _corners)


def _corners(question: Question) -> Box | Polygon:
    frame = asked_frame(question)
    bottom, right = (size - 1.0 for size in frame.shape)
    if question.task == BOX.name:
        return Box(frame, 0, 0, bottom, right)
    return Polygon(frame, ((0, 0), (0, right), (bottom, right), (bottom, 0)))
