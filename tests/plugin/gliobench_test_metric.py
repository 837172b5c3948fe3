"""A metric of another package."""

import numpy as np
from scipy.spatial import cKDTree

from gliobench.scoring.metric import AnswerMetric


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
