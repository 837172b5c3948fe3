"""Always the middle of the slice."""

from collections.abc import Sequence

from gliobench.grid.frame import Plane, SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Point


def image_centre(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """The point halfway between the middles of the first and the last pixel, along rows and columns."""
    return Rule("image-centre", frozenset({CENTRE.name}), True, {}, _middle)


def _middle(question: Question) -> Point:
    frame = asked_frame(question)
    return Point(frame, (frame.shape[0] - 1) / 2, (frame.shape[1] - 1) / 2)


def asked_frame(question: Question) -> SliceFrame:
    """The slice a question is about. Raises ValueError for a question about a whole patient."""
    if question.frame is None:
        raise ValueError(f"{question.subject.id}: {question.task} was asked about the whole patient, not about a slice")
    return question.frame
