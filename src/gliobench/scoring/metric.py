"""What a metric is: everything about one metric, so that no code asks for its name."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.scoring.intervals import MEAN, POSITIVE, REAL, Scale


@dataclass(frozen=True)
class Metric:
    """One metric.

    `id`: its name in tables. `title`: its name for people, without the unit. `unit`: such as "mm"; "share" where it has
    none. `better`: "higher", "lower", or the value that is best.
    """

    id: str
    title: str
    unit: str
    better: str

    @property
    def lower_is_better(self) -> bool:
        return self.better == "lower"

    @property
    def mean_scale(self) -> Scale:
        """Of a mean over patients: a proportion of which more is better is taken to end at 1, what is better the lower
        to begin at 0."""
        if self.unit == "share" and self.better == "higher":
            return MEAN
        return POSITIVE if self.lower_is_better else REAL


@dataclass(frozen=True, eq=False)
class Compared:
    """An answer with its truth, of one slice or of a volume.

    `answer`, `truth`: None where there is none. Their type follows from the task's `compared_as`: for "area" two
    `gliobench.scoring.overlap.Area`, empty where there is no tumour; for "place" a `Point` and the tumour's `Box`; for
    anything else two values of the task. `answered`: False where there is no usable answer. `spacing_mm`: millimetres
    between neighbours along each axis. `frame`: the slice's, None of a volume. `inner`: whether it is one of the
    tumour's inner regions.
    """

    answer: Any
    truth: Any
    spacing_mm: tuple[float, ...]
    answered: bool = True
    frame: SliceFrame | None = None
    inner: bool = False

    @cached_property
    def shared(self) -> int:
        """The number of pixels in both areas. Raises ValueError for different shapes."""
        answer, truth = self.answer.pixels, self.truth.pixels
        if answer.shape != truth.shape:
            raise ValueError(f"answer and truth must have one shape, got {answer.shape} and {truth.shape}")
        return int(np.count_nonzero(answer & truth))


Measure = Callable[[Compared], float]


@dataclass(frozen=True)
class Condition:
    """What a metric needs of the truth. `holds`: whether an answer counts; `lacking`: the reason
    where none does, with `{target}` for what the problem's target is called."""

    holds: Callable[[Compared], bool]
    lacking: str


WITH_TUMOUR = Condition(lambda compared: bool(compared.truth), "nothing with {target}")
WITHOUT_TUMOUR = Condition(lambda compared: not compared.truth, "nothing without {target}")


def mean(values: Sequence[float]) -> float:
    """The mean over a patient's slices."""
    return float(np.mean(values))


def percentile95(values: Sequence[float]) -> float:
    """The 95th percentile over a patient's slices, linear between neighbours."""
    return float(np.percentile(values, 95))


@dataclass(frozen=True)
class AnswerMetric(Metric):
    """A metric of single answers; `over_slices` gives a patient's value, the mean over patients the cohort's.

    `of`: the `compared_as` of its tasks. `measure`: for an answer and a truth that both show a tumour. `unanswered`,
    `one_empty`, `both_empty`: the value without a usable answer, where the truth or the answer alone has no tumour, and
    where neither has one: a number, or a function such as `measure` itself. Never NaN; only `unanswered` may be, of
    volumes, where no number is the worst: one silent patient then leaves the cohort's figure undefined. `only`: which
    answers it is for, None for all; the others count nowhere. `of_volumes`: not for slices. `right_or_wrong`: an
    answer's value is 1 or 0, so that the cohort's is a proportion.
    """

    of: str
    measure: Measure
    unanswered: float | Measure
    one_empty: float | Measure
    both_empty: float | Measure
    over_slices: Callable[[Sequence[float]], float] = mean
    only: Condition | None = None
    of_volumes: bool = False
    right_or_wrong: bool = False

    def is_for(self, compared: Compared) -> bool:
        """Whether an answer counts."""
        return self.only is None or self.only.holds(compared)

    def value(self, compared: Compared) -> float:
        """The value of one answer, NaN where it does not count."""
        if not self.is_for(compared):
            return math.nan
        how = self._how(compared)
        return how(compared) if callable(how) else how

    def over(self, slices: Sequence[Compared]) -> float:
        """A patient's value from its slices, NaN where none of them counts."""
        values = [self.value(one) for one in slices if self.is_for(one)]
        return self.over_slices(values) if values else math.nan

    def _how(self, compared: Compared) -> float | Measure:
        if not compared.answered:
            return self.unanswered
        if compared.answer and compared.truth:
            return self.measure
        return self.one_empty if compared.answer or compared.truth else self.both_empty
