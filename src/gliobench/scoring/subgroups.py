"""Figures of patients grouped by what the cohort's table says of them: exploratory, and not corrected for how many."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from gliobench.cohort.problem import Problem
from gliobench.cohort.variables import all_numbers, as_number
from gliobench.scoring.figures import graded_figures
from gliobench.scoring.grades import Graded
from gliobench.scoring.intervals import REAL, Bootstrap, Figure, undefined
from gliobench.scoring.registry import named
from gliobench.scoring.summary import problem_of
from gliobench.tasks.grade import GRADE

MOST = 6  # categories with a group of their own; a column of more different numbers is cut into thirds
MISSING = "missing"
SUBGROUPS = (
    *("variable", "group", "n_patients", "task", "metric", "model", "source", "plane"),
    *("n", "value", "low", "high", "interval", "reason"),
)
Groups = Mapping[str, Collection[str]]
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
    scale = named(str(rows["metric"].iloc[0])).mean_scale if len(rows) else REAL
    for (model, source, plane), own in rows.groupby(["model", "source", "plane"], sort=False):
        for group, patients in groups.items():
            values = own.loc[own["patient"].isin(list(patients)), "value"].dropna().to_numpy(dtype=np.float64)
            figure = (
                bootstrap.means(values[:, None], [scale])[0] if len(values) else undefined("no patient has a value")
            )
            found.append((str(model), str(source), str(plane), group, len(values), figure))
    return _table(found)


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
