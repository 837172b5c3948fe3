"""Always the whole slice."""

from collections.abc import Sequence

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.baselines.image_centre import asked_frame
from gliobench.models.baselines.rule import Rule
from gliobench.models.prediction import Question
from gliobench.tasks.geometry import Box, Polygon


def whole_slice(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The box or polygon whose corners are the middles of the slice's corner pixels."""
    return Rule("whole-slice", frozenset({"box", "polygon"}), True, {}, _corners)


def _corners(question: Question) -> Box | Polygon:
    frame = asked_frame(question)
    bottom, right = (size - 1.0 for size in frame.shape)
    if question.task == "box":
        return Box(frame, 0, 0, bottom, right)
    return Polygon(frame, ((0, 0), (0, right), (bottom, right), (bottom, 0)))
