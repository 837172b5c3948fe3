"""A kind of model, a baseline and a metric of another package, as a stranger would write them."""

from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from gliobench.models.baselines.rule import Rule
from gliobench.scoring.metric import AnswerMetric
from gliobench.study.kinds.base import ModelConfig
from gliobench.tasks.geometry import Point, VolumeMask


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


def top_left(train, plane):
    """Always the first pixel."""
    return Rule("top-left", frozenset({"centre"}), True, {}, lambda question: Point(question.frame, 0, 0))


def surface_dice(areas, tolerance_mm=2.0):
    """The share of both surfaces' pixels that lie within 2 mm of the other surface (after Nikolov 2021)."""
    answer, truth = (side.surface.points * np.asarray(areas.spacing_mm) for side in (areas.answer, areas.truth))
    near = sum(
        (cKDTree(other).query(own)[0] <= tolerance_mm).sum() for own, other in ((answer, truth), (truth, answer))
    )
    return float(near / (len(answer) + len(truth)))


NSD = AnswerMetric(
    id="nsd_2mm",
    title="surface Dice at 2 mm",
    unit="share",
    better="higher",
    of="area",
    measure=surface_dice,
    unanswered=0.0,
    one_empty=0.0,
    both_empty=1.0,
)
