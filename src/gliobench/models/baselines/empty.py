"""Never any tumour: the score of an empty mask."""

from collections.abc import Sequence

import numpy as np

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.baselines.rule import Rule
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK


def empty(train: Sequence[PreparedSubject], plane: Plane) -> Rule:
    """An empty mask for every patient."""
    return Rule(
        "empty",
        frozenset({MASK.name}),
        False,
        {},
        lambda question: VolumeMask(np.zeros(question.subject.shape, dtype=bool)),
    )
