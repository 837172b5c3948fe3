"""The tables of learning curves: values with intervals, power laws, and where one curve passes another."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import combinations, product
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gliobench.study.kinds.base import ModelConfig
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import Context
from gliobench.study.state.curve import PointContext, draws_of

if TYPE_CHECKING:
    from gliobench.scoring.intervals import Scale
    from gliobench.scoring.learning_curve import CurveTables, Floats, Law, Measured, Resamples, Sized
    from gliobench.scoring.metric import Metric
    from gliobench.scoring.summary import Scores

VOLUME = "volume"
Key = tuple[str, str]  # a model and a plane


@dataclass(frozen=True, eq=False)
class _Curve:
    """A curve with its resamples (count + 1, sizes)."""

    key: Key
    learns: bool
    sizes: Sequence["Sized"]
    values: "Floats"

    @property
    def patients(self) -> list[float]:
        return [one.patients for one in self.sizes]


@dataclass(frozen=True, eq=False)
class _Scored:
    """The scores of the `whole` study and of its points. `patients`: who is tested, in the order of all resamples;
    `every`: how many training patients the whole study has in a fold."""

    whole: "Scores"
    at: Sequence[tuple[PointContext, "Scores"]]
    patients: Sequence[str]
    resamples: "Resamples"
    every: float


def curve_tables(context: Context, reached: Sequence[PointContext], general: Sequence[ModelConfig]) -> "CurveTables":
    """The tables of the points that were `reached`, the whole study and its `general` models."""
    import pandas as pd

    from gliobench.scoring.learning_curve import CROSSINGS, FIGURES, LAWS, CurveTables, fit_law

    scored = _scored(context, reached)
    figures, laws, crossings = list[Any](), list[Any](), list[Any]()
    for task, metric in metrics_of(context):
        head, curves = (task, metric.id), list[_Curve]()
        for name in dict.fromkeys(one.model.name for one in reached):
            curves += _curves(scored, name, task, metric)
        for config in general:
            curves += _lines(scored, config.name, task, metric)
        for one in curves:
            law = fit_law(one.patients, one.values, 0.0 if metric.lower_is_better else 1.0) if one.learns else None
            fitted = law.at if law else ()
            figures += [(*head, *row) for row in _figures(one, fitted, scale_of(metric), scored.resamples.seed)]
            laws += [(*head, *one.key, *_law(law))] if law else []
        crossings += [(*head, *row) for row in _crossings(curves, metric)]
    return CurveTables(
        pd.DataFrame(figures, columns=list(FIGURES)),
        pd.DataFrame(laws, columns=list(LAWS)),
        pd.DataFrame(crossings, columns=list(CROSSINGS)),
    )


def _scored(context: Context, reached: Sequence[PointContext]) -> _Scored:
    from gliobench.scoring.learning_curve import Resamples

    patients = sorted({context.patients[id] for id in context.tested})
    every = fmean(draws_of(context).trained(context.folds))
    at = [(one, read_scores(one)) for one in reached]
    return _Scored(read_scores(context), at, patients, Resamples(len(patients)), every)


def metrics_of(context: Context) -> Iterator[tuple[str, "Metric"]]:
    """With its task, the first figure of each task, and the other first ones that are of all patients: means over the
    patients that have a value would be of others at every size."""
    from gliobench.report.metrics import primary
    from gliobench.scoring.grades import GradeMetric
    from gliobench.scoring.registry import named

    for task in context.study.tasks:
        for place, metric in enumerate(map(named, primary(task))):
            if place == 0 or isinstance(metric, GradeMetric):
                yield task, metric


def scale_of(metric: "Metric") -> "Scale":
    """The scale of a metric's mean."""
    from gliobench.scoring.grades import GradeMetric

    return metric.scale if isinstance(metric, GradeMetric) else metric.mean_scale


def measured(
    scores: "Scores", model: str, task: str, metric: "Metric", patients: Sequence[str]
) -> Mapping[str, "Measured"]:
    """By plane, a metric of a model."""
    from gliobench.report.metrics import nearest
    from gliobench.scoring.grades import GradeMetric, patients_over
    from gliobench.scoring.intervals import Scans
    from gliobench.scoring.learning_curve import Measured, class_statistic, mean_statistic
    from gliobench.scoring.subgroups import graded_votes, with_class
    from gliobench.scoring.summary import problem_of

    if isinstance(metric, GradeMetric):
        votes = with_class(scores.votes[scores.votes["model"] == model])
        problem = problem_of(scores.votes)
        found = {}
        for plane, own in votes.groupby("plane", sort=False):
            graded, whose = graded_votes(own, problem), list(own["patient"])
            over = patients_over(metric, graded, Scans.of(whose))
            found[str(plane)] = Measured(class_statistic(metric, graded, whose, patients), over)
        return found
    rows = nearest(scores.per_subject[scores.per_subject["model"] == model], task, metric.id)
    return {
        str(plane): Measured(
            mean_statistic(dict(zip(own["patient"], own["value"], strict=True)), patients), int(own["value"].count())
        )
        for plane, own in rows.groupby("plane", sort=False)
    }


def by_plane(
    scores: Sequence["Scores"], name: str, task: str, metric: "Metric", patients: Sequence[str]
) -> Mapping[str, list["Measured"]]:
    """By plane, the metric of each of several branches, where all of them have it."""
    found = [measured(one, name, task, metric, patients) for one in scores]
    return {plane: [one[plane] for one in found] for plane in found[0] if all(plane in one for one in found)}


def _curves(scored: _Scored, name: str, task: str, metric: "Metric") -> Iterator[_Curve]:
    """The curve of a model in each plane; all training patients, once, are its last point."""
    from gliobench.scoring.learning_curve import Sized, resampled

    found = [
        (one.point, measured(scores, name, task, metric, scored.patients))
        for one, scores in scored.at
        if one.model.name == name
    ]
    for plane, last in measured(scored.whole, name, task, metric, scored.patients).items():
        sizes = []
        for size in dict.fromkeys(point.size for point, _ in found):
            own = [(point.patients, by[plane]) for point, by in found if point.size == size and plane in by]
            if own:
                sizes.append(Sized(fmean(one for one, _ in own), tuple(found for _, found in own)))
        sizes.append(Sized(scored.every, (last,)))
        yield _Curve((name, plane), True, sizes, resampled(sizes, scored.resamples))


def _lines(scored: _Scored, name: str, task: str, metric: "Metric") -> Iterator[_Curve]:
    """A model that learns from nobody, in each plane, as a curve of one point."""
    from gliobench.scoring.learning_curve import Sized, resampled

    for plane, only in measured(scored.whole, name, task, metric, scored.patients).items():
        sizes = [Sized(math.nan, (only,))]
        yield _Curve((name, plane), False, sizes, resampled(sizes, scored.resamples))


def _figures(curve: _Curve, fitted: Sequence[float], scale: "Scale", seed: int) -> Iterator[tuple[Any, ...]]:
    from gliobench.scoring.learning_curve import figure_interval

    for place, (one, values) in enumerate(zip(curve.sizes, curve.values.T, strict=True)):
        law = fitted[place] if fitted else math.nan
        yield (
            *curve.key,
            curve.learns,
            one.patients,
            len(one.repeats),
            *astuple(figure_interval(values, one, scale, seed)),
            law,
        )


def _law(law: "Law") -> tuple[Any, ...]:
    intervals = (value for one in (law.limit, law.exponent, law.doubled) for value in astuple(one))
    return (law.fault, law.failed, law.patients, *intervals)


def _crossings(curves: Sequence[_Curve], metric: "Metric") -> Iterator[tuple[Any, ...]]:
    """Where each curve passes each general model, and of two curves the one that is better in the end the other."""
    from gliobench.scoring.learning_curve import find_crossing

    sign = -1 if metric.lower_is_better else 1
    learning = [one for one in curves if one.learns]
    pairs = [*product(learning, (one for one in curves if not one.learns)), *combinations(learning, 2)]
    for one, other in pairs:
        if one.key[0] == other.key[0] or not (one.key[1] == other.key[1] or VOLUME in (one.key[1], other.key[1])):
            continue
        common = [size for size in one.patients if size in other.patients] if other.learns else one.patients
        left, right = _at(one, common), _at(other, common) if other.learns else other.values
        ahead = sign * (left - right)
        if other.learns and ahead[0, -1] < 0:
            one, other, ahead = other, one, -ahead
        found = find_crossing(common, ahead)
        yield (*one.key, *other.key, *astuple(found.at), found.share, found.smallest, found.largest)


def _at(curve: _Curve, sizes: Sequence[float]) -> "Floats":
    return curve.values[:, [curve.patients.index(size) for size in sizes]]
