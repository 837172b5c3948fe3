"""Figures of patients grouped by what the cohort's table says of them: exploratory, and not corrected for how many."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.problem import Problem
from gliobench.cohort.variables import all_numbers, as_number
from gliobench.scoring.figures import graded_figures
from gliobench.scoring.graded import Graded
from gliobench.scoring.grades import patients_over, proportion
from gliobench.scoring.intervals import REAL, Bootstrap, Figure, Scale, Scans, undefined
from gliobench.scoring.registry import grade_metrics, named
from gliobench.scoring.summary import problem_of
from gliobench.tasks.grade import GRADE

FEWEST = 5  # patients of a subgroup that can be the worst: of fewer, the worst one is chance
MOST = 6  # categories with a group of their own; a column of more different numbers is cut into thirds
MISSING = "missing"
SUBGROUPS = (
    *("variable", "group", "n_patients", "task", "metric", "model", "source", "plane"),
    *("n", "value", "low", "high", "interval", "reason"),
)
GAPS = (
    *("variable", "task", "metric", "model", "source", "plane"),
    *("worst", "best", "n", "value", "low", "high", "interval", "reason"),
)
Groups = Mapping[str, Collection[str]]
Floats = NDArray[np.float64]
Gap = Callable[[pd.DataFrame, Collection[str], Collection[str]], Figure]  # of rows, the worst and the best patients
_Row = tuple[str, str, str, str, int, Figure]  # model, source, plane, group, n


def group_patients(values: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Patients by what a column says of them (None: nothing), the groups in order and none empty.

    Of numbers, more than six different: thirds of the patients, cut at the sample's own values, so that equal values
    stay together and thirds can be unequal. Else each of the six commonest values, the rest as one group. Those of whom
    nothing is known are the last group.
    """
    known = {patient: value for patient, value in values.items() if value is not None}
    numbers = {patient: number for patient, value in known.items() if (number := as_number(value)) is not None}
    thirds = all_numbers(known.values()) and len(set(numbers.values())) > MOST
    groups = _thirds(numbers) if thirds else _categories(known)
    groups[MISSING] = [patient for patient, value in values.items() if value is None]
    return {name: patients for name, patients in groups.items() if patients}


def _thirds(numbers: Mapping[str, float]) -> dict[str, list[str]]:
    low, high = np.quantile(list(numbers.values()), [1 / 3, 2 / 3], method="inverted_cdf")
    if low == high:
        return {
            f"up to {low:.10g}": [patient for patient, value in numbers.items() if value <= low],
            f"above {low:.10g}": [patient for patient, value in numbers.items() if value > low],
        }
    return {
        f"up to {low:.10g}": [patient for patient, value in numbers.items() if value <= low],
        f"above {low:.10g}, up to {high:.10g}": [patient for patient, value in numbers.items() if low < value <= high],
        f"above {high:.10g}": [patient for patient, value in numbers.items() if value > high],
    }


def _categories(known: Mapping[str, str]) -> dict[str, list[str]]:
    counts = Counter(known.values())
    kept = sorted(counts, key=lambda value: (-counts[value], value))[:MOST]
    in_order = sorted(kept, key=lambda value: (as_number(value) or 0.0, value))
    groups = {value: [patient for patient, own in known.items() if own == value] for value in in_order}
    rest = [patient for patient, own in known.items() if own not in kept]
    return groups | {f"other ({len(counts) - len(kept)} values)": rest}


def subgroup_means(rows: pd.DataFrame, groups: Groups, bootstrap: Bootstrap) -> pd.DataFrame:
    """Of rows of `per_subject` of one task and metric, the mean of each model among the patients of each group.

    Returns model, source, plane, group and the fields of `Figure`, with `n` patients that have a value.
    """
    found: list[_Row] = []
    scale = _mean_scale(rows)
    for (model, source, plane), own in rows.groupby(["model", "source", "plane"], sort=False):
        for group, patients in groups.items():
            values = own.loc[own["patient"].isin(list(patients)), "value"].dropna().to_numpy(dtype=np.float64)
            figure = (
                bootstrap.means(values[:, None], [scale])[0] if len(values) else undefined("no patient has a value")
            )
            found.append((str(model), str(source), str(plane), group, len(values), figure))
    return _table(found)


def _mean_scale(rows: pd.DataFrame) -> Scale:
    return named(str(rows["metric"].iloc[0])).mean_scale if len(rows) else REAL


def subgroup_classes(votes: pd.DataFrame, metric: str, groups: Groups, bootstrap: Bootstrap) -> pd.DataFrame:
    """Of a table of votes, a metric of classes of each model among the patients of each group; otherwise as
    `subgroup_means`."""
    problem, found = problem_of(votes), list[_Row]()
    for (model, plane), own in with_class(votes).groupby(["model", "plane"], sort=False):
        for group, patients in groups.items():
            part = own[own["patient"].isin(list(patients))]
            figure = undefined("no patient has a value")
            if len(part):
                figure = graded_figures(graded_votes(part, problem), bootstrap, list(part["patient"]))[metric]
            found.append((str(model), GRADE.name, str(plane), group, part["patient"].nunique(), figure))
    return _table(found)


def gap_of_means(
    rows: pd.DataFrame, groups: Groups, found: pd.DataFrame, bootstrap: Bootstrap, *, lower_is_better: bool
) -> pd.DataFrame:
    """How much worse each model is in its worst subgroup than in its best, never negative; `found`: what
    `subgroup_means` gave for the same rows.

    Subgroups of at least five patients with a value count, the missing ones not. The interval resamples the patients of
    both; because the two were picked by their figures, gap and interval are too large rather than too small. Returns
    model, source, plane, worst, best, `n` patients of both, and the fields of `Figure`.
    """

    def gap(own: pd.DataFrame, worst: Collection[str], best: Collection[str]) -> Figure:
        own = own[own["patient"].isin([*worst, *best])].dropna(subset=["value"])
        values, low = own["value"].to_numpy(dtype=np.float64), own["patient"].isin(list(worst)).to_numpy(dtype=bool)

        def difference(weights: Floats) -> Floats:
            bad, good = (
                proportion(weights[:, side] @ values[side], weights[:, side].sum(axis=1)) for side in (low, ~low)
            )
            return (bad - good if lower_is_better else good - bad)[:, None]

        fewer = int(min(low.sum(), (~low).sum()))
        return bootstrap.figures(difference, len(values), [_mean_scale(rows).difference], [fewer])[0]

    return _gaps(rows, groups, found, gap, lower_is_better)


def gap_of_classes(
    votes: pd.DataFrame, metric: str, groups: Groups, found: pd.DataFrame, bootstrap: Bootstrap
) -> pd.DataFrame:
    """As `gap_of_means`, of a metric of classes."""
    problem = problem_of(votes)
    measured = next(one for one in grade_metrics(problem) if one.id == metric)

    def gap(own: pd.DataFrame, worst: Collection[str], best: Collection[str]) -> Figure:
        own = own[own["patient"].isin([*worst, *best])]
        low = own["patient"].isin(list(worst)).to_numpy(dtype=bool)
        parts = [(side, graded_votes(own[side], problem)) for side in (low, ~low)]

        def difference(weights: Floats) -> Floats:
            bad, good = (measured.values(weights[:, side], graded) for side, graded in parts)
            return (bad - good if measured.lower_is_better else good - bad)[:, None]

        fewer = min(patients_over(measured, graded, Scans.of(list(own["patient"][side]))) for side, graded in parts)
        scales = [measured.scale.difference]
        return bootstrap.figures_of_scans(difference, list(own["patient"]), scales, [fewer])[0]

    table = with_class(votes).assign(source=GRADE.name)
    return _gaps(table, groups, found, gap, measured.lower_is_better)


def _gaps(rows: pd.DataFrame, groups: Groups, found: pd.DataFrame, gap: Gap, lower_is_better: bool) -> pd.DataFrame:
    gaps = []
    able = found[(found["n"] >= FEWEST) & found["value"].notna() & (found["group"] != MISSING)]
    keys = ["model", "source", "plane"]
    for (model, source, plane), own in rows.groupby(keys, sort=False):
        mine = able[(able["model"] == model) & (able["source"] == source) & (able["plane"] == plane)]
        if len(mine) < 2:
            few = undefined(f"fewer than 2 subgroups of {FEWEST} patients with a value")
            gaps.append((model, source, plane, "", "", int(mine["n"].sum()), *vars(few).values()))
            continue
        ordered = mine.sort_values("value", ascending=not lower_is_better, kind="stable").iloc[[0, -1]]
        worst, best = ordered["group"]
        figure = gap(own, groups[worst], groups[best])
        gaps.append((model, source, plane, worst, best, int(ordered["n"].sum()), *vars(figure).values()))
    columns = [*keys, "worst", "best", "n", "value", "low", "high", "interval", "reason"]
    return pd.DataFrame(gaps, columns=columns)


def with_class(votes: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of votes whose class is known."""
    return votes.dropna(subset=["grade"])


def graded_votes(votes: pd.DataFrame, problem: Problem) -> Graded:
    """Rows of a table of votes, all with a class, as metrics of classes take them."""
    if problem.several:
        scores = votes[[f"score_{column}" for column in problem.class_columns]].to_numpy(dtype=float)
    else:
        positive = votes["score"].to_numpy(dtype=float)[:, None]
        scores = np.hstack([1 - positive, positive] if problem.positive_class else [positive, 1 - positive])
    return Graded(
        problem,
        truths=votes["grade"].to_numpy(dtype=np.intp),
        calls=votes["predicted"].fillna(problem.none).to_numpy(dtype=np.intp),
        scores=scores,
        given=np.empty((0, problem.count)),
    )


def _table(found: Sequence[_Row]) -> pd.DataFrame:
    rows = [(*rest, *vars(figure).values()) for *rest, figure in found]
    columns = ["model", "source", "plane", "group", "n", "value", "low", "high", "interval", "reason"]
    return pd.DataFrame(rows, columns=columns)
