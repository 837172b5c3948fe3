"""Whether a model's answers change where the image is changed, and what they are worth on mirror images."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.problem import Problem
from gliobench.grid.controls.flipped import ACROSS
from gliobench.scoring.consistency import answer_text
from gliobench.scoring.intervals import MEAN, Bootstrap, Figure
from gliobench.scoring.planned import Side, compare_planned, first_metric
from gliobench.scoring.score import SubjectScores
from gliobench.scoring.summary import summarise
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.chain import box_of, to_mask
from gliobench.tasks.geometry import Placed, Value, VolumeMask
from gliobench.tasks.registry import TASKS, task_of

SAME_DICE = 0.5  # two areas that overlap at least so much are one answer
SAME_MM = 10.0  # two points that lie no farther apart are one answer
NOT_LOOKING = 0.25  # answers that change less often than this, by the end of the interval, do not depend on the image

Outcome = Literal["same", "changed", "unanswered", "undecided"]
COUNTED: tuple[Outcome, ...] = ("same", "changed", "unanswered")
FIGURES = (
    *("model", "task", "plane", "control", "telling", "outcome", "value", "low", "high", "interval", "reason"),
    *("n_subjects", "n_pairs", "n", "n_equal", "n_undecided", "probability_change"),
)
GAPS = (
    *("model", "task", "plane", "control", "metric", "n_subjects", "own", "altered", "difference"),
    *("low", "high", "interval", "p", "p_holm", "test", "shown"),
)


@dataclass(frozen=True)
class Pair:
    """A model's answers to one question about a patient's own image and about an altered one. `mirrors`: whether the
    altered one is its mirror image. `probability_change`: of a class, the largest difference of the probabilities that
    the model gave with them; NaN where it gave none."""

    model: str
    task: str
    plane: str
    control: str
    mirrors: bool
    patient: str
    own: Answer
    altered: Answer
    problem: Problem
    probability_change: float = math.nan

    @property
    def telling(self) -> bool:
        """Whether a model that looks has to answer otherwise: the class of a mirror image stays as it was."""
        return TASKS[self.task].has_place or not self.mirrors


@dataclass(frozen=True, eq=False)
class ControlScores:
    """`figures`: the columns `FIGURES`, a row per outcome. `gaps`: the columns `GAPS`, own minus mirror image."""

    figures: pd.DataFrame
    gaps: pd.DataFrame


def outcome(pair: Pair) -> Outcome:
    """What became of the answer. `unanswered`: on one side or on both there is no usable answer. `undecided`: the place
    is its own mirror image, or there is none, so that no answer about the mirror image could differ."""
    if not (isinstance(pair.own, Answered) and isinstance(pair.altered, Answered)):
        return "unanswered"
    own, altered = pair.own.value, pair.altered.value
    if pair.mirrors and pair.telling and (own is None or alike(own, own, mirrored=True)):
        return "undecided"
    return "same" if alike(own, altered) else "changed"


def equal(pair: Pair) -> bool:
    """Whether both answers are the same to the last digit."""
    if not (isinstance(pair.own, Answered) and isinstance(pair.altered, Answered)):
        return False
    own, altered = pair.own.value, pair.altered.value
    if isinstance(own, VolumeMask) and isinstance(altered, VolumeMask):
        return np.array_equal(own.voxels, altered.voxels)
    return answer_text(pair.own, pair.problem) == answer_text(pair.altered, pair.problem)


def alike(one: Value | None, other: Value | None, *, mirrored: bool = False) -> bool:
    """Whether two answers to a task are one: areas from a Dice of `SAME_DICE` on, points up to `SAME_MM` apart, others
    where they are equal. `mirrored`: the first is taken in its mirror image. None: there is no target."""
    if one is None or other is None:
        return one is other
    if isinstance(one, Placed) and not task_of(one).has_area:
        return _distance_mm(one, other, mirrored=mirrored) <= SAME_MM
    if isinstance(one, Placed | VolumeMask):
        return _dice(_pixels(one, mirrored=mirrored), _pixels(other)) >= SAME_DICE
    return one == other


def _pixels(value: Value, *, mirrored: bool = False) -> NDArray[np.bool_]:
    if isinstance(value, VolumeMask):
        return value.voxels[..., ::-1] if mirrored else value.voxels
    mask = to_mask(value)
    return mask.pixels[:, ::-1] if mirrored and mask.frame.plane != ACROSS else mask.pixels


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    both = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / both if both else 1.0


def _distance_mm(one: Placed, other: Value, *, mirrored: bool) -> float:
    (row, column), (other_row, other_column) = _middle(one), _middle(other)
    if mirrored and one.frame.plane != ACROSS:
        column = one.frame.shape[1] - 1 - column
    row_mm, column_mm = one.frame.spacing_mm
    return float(np.hypot((row - other_row) * row_mm, (column - other_column) * column_mm))


def _middle(value: Value) -> tuple[float, float]:
    """Row and column of the middle of a value of a slice."""
    box = box_of(value)
    if box is None:
        raise ValueError(f"a {type(value).__name__} without a location")
    return (box.row_min + box.row_max) / 2, (box.column_min + box.column_max) / 2


def measure(pairs: Iterable[Pair], bootstrap: Bootstrap | None = None) -> pd.DataFrame:
    """Of each model, task and control the proportions of answers that stayed the same, changed, or are missing on one
    side or both, which sum to 1: the mean over patients of each one's proportions. Pairs that are undecided are counted
    beside. The columns are `FIGURES`; 10,000 resamples, seed 0, where `bootstrap` is None.

    `n`: answers of this outcome, `n_equal` of them to the last digit. `probability_change`: the median over all pairs.
    """
    groups: dict[tuple[str, str, str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.model, pair.task, pair.plane, pair.control), []).append(pair)
    rows = [row for own in groups.values() for row in _rows(own, bootstrap or Bootstrap())]
    return pd.DataFrame(rows, columns=list(FIGURES))


def _rows(pairs: Sequence[Pair], bootstrap: Bootstrap) -> Iterator[dict[str, object]]:
    outcomes = [outcome(pair) for pair in pairs]
    by_patient: dict[str, list[Outcome]] = {}
    for pair, found in zip(pairs, outcomes, strict=True):
        if found != "undecided":
            by_patient.setdefault(pair.patient, []).append(found)
    figures = _figures(list(by_patient.values()), bootstrap)
    one, moved = pairs[0], pd.Series([pair.probability_change for pair in pairs], dtype=float).median()
    for name, figure in zip(COUNTED, figures, strict=True):
        yield {
            "model": one.model,
            "task": one.task,
            "plane": one.plane,
            "control": one.control,
            "telling": one.telling,
            "outcome": name,
            **asdict(figure),
            "n_subjects": len(by_patient),
            "n_pairs": sum(map(len, by_patient.values())),
            "n": outcomes.count(name),
            "n_equal": sum(equal(pair) for pair, found in zip(pairs, outcomes, strict=True) if found == name),
            "n_undecided": outcomes.count("undecided"),
            "probability_change": moved,
        }


def _figures(patients: Sequence[Sequence[Outcome]], bootstrap: Bootstrap) -> list[Figure]:
    """The proportion of each of `COUNTED`, a mean over patients."""
    if not patients:
        nothing = "every place is its own mirror image, or none was found"
        return [Figure(float("nan"), float("nan"), float("nan"), reason=nothing) for _ in COUNTED]
    shares = np.array([[own.count(name) / len(own) for name in COUNTED] for own in patients])
    return bootstrap.means(shares, [MEAN] * len(COUNTED))


def mirror_name(model: str, control: str) -> str:
    """The name of a model's answers about mirror images in tables; no model of a study can have it."""
    return f"{model} {control}"


def mirror_gaps(
    scored: Iterable[SubjectScores], control: str, models: Sequence[str], problem: Problem, tasks: Sequence[str]
) -> pd.DataFrame:
    """What each of `models` is worth on patients' own images minus on their mirror images, scored against the mirrored
    truth: on each task's first metric, paired by patient, with Holm's correction for the models of a task.

    `scored`: the answers about own images under the models' names, those about the others under `mirror_name`. The
    columns are `GAPS`.
    """
    tables = summarise(scored, problem=problem)
    pairs = [(Side(model), Side(mirror_name(model, control))) for model in models]
    found = compare_planned(tables, dict.fromkeys(tasks, pairs))
    found = found.assign(control=control).rename(columns={"model_a": "model", "value_a": "own", "value_b": "altered"})
    return found[list(GAPS)]


def of_first_metrics(scores: SubjectScores, plane: str) -> SubjectScores:
    """The rows of answers on their own task, with its first metric, in one plane."""
    rows = (row for row in scores.rows if row.source == row.task and row.plane == plane)
    return SubjectScores(tuple(row for row in rows if row.metric == first_metric(row.task)), scores.votes)
