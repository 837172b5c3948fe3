"""Which models of a report are compared with which."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Protocol

from gliobench.scoring.errors import CompareError
from gliobench.scoring.human import READERS

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.scoring.summary import Scores

NOBODY_DOUBTS = "empty"  # the baseline that answers with an empty mask


class Role(Protocol):
    """What a model is to a comparison."""

    @property
    def name(self) -> str: ...

    @property
    def trivial(self) -> bool: ...

    @property
    def untrained(self) -> bool: ...

    @property
    def classical(self) -> bool: ...


def comparisons(scores: "Scores", models: Sequence[Role]) -> "pd.DataFrame | None":
    """Every model against every trivial baseline, every other model against the classical ones, and every model against
    human readers, on each task's first figure, paired by patient; None where no figure is in common.

    Random weights and the empty mask are left out: nobody doubts them, and every test more costs the others power.
    """
    from gliobench.report.metrics import first_metrics
    from gliobench.scoring.compare import compare_named

    asked = [one.name for one in models if not one.trivial and not one.untrained]
    baselines = [one.name for one in models if one.trivial and one.name != NOBODY_DOUBTS]
    classical = [one.name for one in models if one.classical]
    pairs = [*product(asked, baselines), *product((name for name in asked if name not in classical), classical)]
    pairs += product(asked, [READERS])
    try:
        return compare_named(scores, pairs, metrics=first_metrics())
    except CompareError:
        return None
