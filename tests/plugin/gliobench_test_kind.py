"""A kind of model of another package."""

from typing import Literal

from gliobench.models.baselines.rule import Rule
from gliobench.study.kinds.base import ModelConfig
from gliobench.tasks.geometry import VolumeMask


class ThresholdModel(ModelConfig):
    """Marks whatever is brighter than `above` in FLAIR."""

    kind: Literal["threshold"]
    above: int = 200

    def oracles(self, study):
        return {}

    def build(self, context, round, plane):
        def mark(question):
            return VolumeMask(question.subject.image[0] > self.above)

        return Rule(self.name, frozenset({"mask"}), False, {"above": self.above}, mark)
