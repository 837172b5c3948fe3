"""How consistent a model's answers are when the same question about the same image is repeated."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import SliceFrame
from gliobench.scoring.intervals import MEAN, REAL, Bootstrap, Figure, Scale, agresti_coull, undefined, without_interval
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.chain import box_of
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import TASKS, task_about, task_of

UNANSWERED = "unanswered"
SHARES = ("agreement", "flip_rate")  # proportions of the answers to one input
UNITS = {"agreement": "share", "pairwise_agreement": "share", "entropy_bits": "bits", "flip_rate": "share"}
BY_CONSTRUCTION = "one answer by construction"
FIGURES = (
    *("model", "task", "plane", "subject", "index", "metric", "unit", "value", "low", "high", "interval"),
    *("reason", "n_inputs", "n_asked", "n_answered"),
)
ANSWERS = ("model", "task", "plane", "subject", "grade", "index", "answer", "count", "to_medoid_mm")
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Repeated:
    """All answers of a model to one input: the same question about the same slice (`frame`) of one scan of a `patient`.

    `drawn` False: greedy decoding, which was asked once because it always gives the same answer.
    """

    model: str
    task: str
    subject: str
    grade: int | None
    frame: SliceFrame
    answers: tuple[Answer, ...]
    drawn: bool
    patient: str
    problem: Problem = GLIOMA

    @property
    def counts(self) -> Counter[str]:
        """How often each answer was given, `UNANSWERED` being one of them."""
        return Counter(answer_text(answer, self.problem) for answer in self.answers)

    @property
    def n_answered(self) -> int:
        return sum(isinstance(answer, Answered) for answer in self.answers)


@dataclass(frozen=True, eq=False)
class Consistency:
    """`figures`: the columns `FIGURES`, for every input and (`subject` missing) over a model's inputs. `answers`: the
    columns `ANSWERS`, one row per answer and input, the most frequent answer first."""

    figures: pd.DataFrame
    answers: pd.DataFrame


def agreement(counts: Counts) -> float:
    """The proportion of the most frequent answer. `counts`: (k,) how often each of k answers was given."""
    return float(counts.max() / counts.sum())


def pairwise_agreement(counts: Counts) -> float:
    """The proportion of all pairs of answers that are equal (Fleiss 1971, P_i); NaN for a single answer."""
    n = counts.sum()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else float("nan")


def entropy_bits(counts: Counts) -> float:
    """Shannon's entropy (1948) of the proportions of the answers, in bits: 0 where all are equal, log2(k) for k equally
    frequent ones. The plug-in estimate: with few repeats it is too low."""
    shares = counts[counts > 0] / counts.sum()
    return float(abs((shares * np.log2(shares)).sum()))


def flip_rate(counts: Counts) -> float:
    """The proportion of the answers that differ from the most frequent one: Freeman's variation ratio (1965), 1 -
    agreement."""
    return 1 - agreement(counts)


def distances_to_medoid_mm(values: Sequence[Value]) -> NDArray[np.float64]:
    """(n,) the distance of each of n answers from their medoid, the one with the least sum of distances to all others
    (Kaufman and Rousseeuw 1987; the first of several).

    Between two points: their distance. Between two boxes: the mean distance of corresponding corners; all else counts
    as the box around it. Raises ValueError for an answer without a place.
    """
    corners = np.array([_corners_mm(value) for value in values]).reshape(-1, 4, 2)
    if len(corners) == 0:
        return np.zeros(0)
    between = np.linalg.norm(corners[:, None] - corners[None], axis=3).mean(axis=2)
    distances: NDArray[np.float64] = between[:, int(between.sum(axis=1).argmin())]
    return distances


def answer_text(answer: Answer, problem: Problem) -> str:
    """An answer as exact text: two answers are equal where their texts are."""
    if not isinstance(answer, Answered):
        return UNANSWERED
    if answer.value is None:
        return problem.no_target
    return task_about(problem, task_of(answer.value).name).exact(answer.value)


def measure(inputs: Iterable[Repeated], bootstrap: Bootstrap | None = None) -> Consistency:
    """The values of every input and over the inputs of each model.

    For one input: Agresti and Coull's interval over the answers where the value is a proportion of them. Over
    inputs: the mean, with a bootstrap that resamples patients with all their inputs (10,000 resamples, seed 0,
    where `bootstrap` is None).
    """
    groups: dict[str, list[Repeated]] = {}
    for one in sorted(inputs, key=lambda one: (one.subject, one.frame.index)):
        groups.setdefault(one.model, []).append(one)
    figures: list[dict[str, object]] = []
    for group in groups.values():
        singles = [_of_input(one) for one in group]
        figures += _over_inputs(group, singles, bootstrap or Bootstrap())
        for one, own in zip(group, singles, strict=True):
            figures += [_row([one], name, figure) | _place(one) for name, figure in own.items()]
    answers = [row for group in groups.values() for one in group for row in _answers(one)]
    typed = {"grade": "Int64", "count": "int64", "to_medoid_mm": "float64"}
    return Consistency(
        pd.DataFrame(figures, columns=FIGURES).astype({"index": "Int64"}),
        pd.DataFrame(answers, columns=ANSWERS).astype(typed),
    )


def _of_input(one: Repeated) -> dict[str, Figure]:
    counts = np.array(list(one.counts.values()))
    n = int(counts.sum())
    values = {
        "agreement": agreement(counts),
        "pairwise_agreement": pairwise_agreement(counts) if one.drawn else 1.0,
        "entropy_bits": entropy_bits(counts),
        "flip_rate": flip_rate(counts),
    }
    if TASKS[one.task].has_place:
        distances = distances_to_medoid_mm(_placed(one))
        enough = len(distances) >= (2 if one.drawn else 1)
        values["spread_mm"] = float(np.median(distances)) if enough else float("nan")
    return {name: _single(name, value, n, one.drawn) for name, value in values.items()}


def _single(name: str, value: float, n: int, drawn: bool) -> Figure:
    if np.isnan(value):
        return undefined("too few answers with a location")
    if not drawn:
        return without_interval(value, BY_CONSTRUCTION)
    if name in SHARES:
        return agresti_coull(round(value * n), n, n, "")
    return without_interval(value, "one input")


def _over_inputs(
    group: Sequence[Repeated], singles: Sequence[dict[str, Figure]], bootstrap: Bootstrap
) -> Iterator[dict[str, object]]:
    """The mean of each value over the inputs that have it; for a single input its own value."""
    for name in singles[0]:
        have = [(one, own[name]) for one, own in zip(group, singles, strict=True) if not np.isnan(own[name].value)]
        if not have:
            yield _row(group, name, singles[0][name])
            continue
        figure = have[0][1]
        if len(have) > 1 and group[0].drawn:
            scale = MEAN if UNITS.get(name) == "share" else REAL
            figure = _mean([(one.patient, own.value) for one, own in have], scale, bootstrap)
        elif len(have) > 1:
            figure = replace(figure, value=float(np.mean([own.value for _, own in have])))
        yield _row([one for one, _ in have], name, figure)


def _mean(values: Sequence[tuple[str, float]], scale: Scale, bootstrap: Bootstrap) -> Figure:
    """The mean over inputs, each given with its patient."""
    patients = {subject: place for place, subject in enumerate(dict.fromkeys(subject for subject, _ in values))}
    sums, counts = np.zeros(len(patients)), np.zeros(len(patients))
    for subject, value in values:
        sums[patients[subject]] += value
        counts[patients[subject]] += 1
    (figure,) = bootstrap.figures(lambda drawn: (drawn @ sums / (drawn @ counts))[:, None], len(patients), [scale])
    return figure


def _row(own: Sequence[Repeated], name: str, figure: Figure) -> dict[str, object]:
    return {
        "model": own[0].model,
        "task": own[0].task,
        "plane": own[0].frame.plane,
        "subject": None,
        "index": None,
        "metric": name,
        "unit": UNITS.get(name, "mm"),
        **asdict(figure),
        "n_inputs": len(own),
        "n_asked": sum(len(one.answers) for one in own),
        "n_answered": sum(one.n_answered for one in own),
    }


def _place(one: Repeated) -> dict[str, object]:
    return {"subject": one.subject, "index": one.frame.index}


def _answers(one: Repeated) -> Iterator[dict[str, object]]:
    """One row per answer, the most frequent first."""
    placed = _placed(one)
    far = distances_to_medoid_mm(placed)
    distances = {answer_text(Answered(value), one.problem): float(mm) for value, mm in zip(placed, far, strict=True)}
    for text, count in sorted(one.counts.items(), key=lambda item: (-item[1], item[0])):
        yield {
            "model": one.model,
            "task": one.task,
            "plane": one.frame.plane,
            **_place(one),
            "grade": one.grade,
            "answer": text,
            "count": count,
            "to_medoid_mm": distances.get(text, float("nan")),
        }


def _placed(one: Repeated) -> list[Value]:
    values = [answer.value for answer in one.answers if isinstance(answer, Answered)]
    return [value for value in values if value is not None and box_of(value) is not None]


def _corners_mm(value: Value) -> list[tuple[float, float]]:
    box = box_of(value)
    if box is None:
        raise ValueError(f"a {type(value).__name__} without a location; expected a point, a box, a polygon or a mask")
    height, width = box.frame.spacing_mm
    rows, columns = (box.row_min * height, box.row_max * height), (box.column_min * width, box.column_max * width)
    return [(row, column) for row in rows for column in columns]
