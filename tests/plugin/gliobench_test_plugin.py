"""A kind of model and a baseline of another package, as a stranger would write them."""

from typing import Literal

from gliobench.models.baselines.rule import Rule
from gliobench.study.kinds.base import ModelPart
from gliobench.tasks.geometry import Point, VolumeMask


class ThresholdModel(ModelPart):
    """Marks whatever is brighter than `above` in FLAIR."""

    kind: Literal["threshold"]
    above: int = 200

    def oracles(self, study):
        return {}

    def build(self, context, round, plane):
        def mark(question):
            return VolumeMask(question.subject.image[0] > self.above)

        return Rule(self.name, frozenset({"mask"}), False, {"above": self.above}, mark)


def top_left(train, plane):
    """Always the first pixel."""
    return Rule("top-left", frozenset({"centre"}), True, {}, lambda question: Point(question.frame, 0, 0))
