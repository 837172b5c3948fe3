"""The arithmetic that turns answers into figures, as one value: nothing else knows which one is in force."""

from collections.abc import Callable
from dataclasses import dataclass

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.grades import Votes, most_votes
from gliobench.scoring.location import score_point
from gliobench.scoring.overlap import Area, score_area
from gliobench.tasks.geometry import Box, Point


@dataclass(frozen=True)
class Protocol:
    """How one slice, one volume and one patient's votes are scored.

    `area`: (answer, or None where unanswered; truth; spacing in mm) -> metrics. `point`: (answer, answered, the
    truth's box, frame) -> metrics. `decide`: votes -> LGG, HGG or None.
    """

    name: str
    area: Callable[[Area | None, Area, tuple[float, ...]], dict[str, float]]
    point: Callable[[Point | None, bool, Box | None, SliceFrame], dict[str, float]]
    decide: Callable[[Votes], int | None]


STANDARD = Protocol("standard", score_area, score_point, most_votes)
