"""The planned comparisons of a study: few pairs, named before the test patients were looked at; one Holm family per
task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from gliobench.scoring.camps import Camp
from gliobench.scoring.compare import COMPARED, compare_named
from gliobench.scoring.errors import CompareError
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.matching import Tables
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

PLANNED = ("camp_a", "camp_b", *COMPARED, "detectable_with_twice")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the model's name in the tables, and the camp that it stands for; None: it was named
    itself."""

    model: str
    camp: Camp | None = None


@dataclass(frozen=True)
class _OneTask:
    """The tables of one task."""

    per_subject: pd.DataFrame
    votes: pd.DataFrame


def compare_planned(
    tables: Tables, planned: Mapping[str, Sequence[tuple[Side, Side]]], bootstrap: Bootstrap | None = None
) -> pd.DataFrame:
    """By task, its planned pairs on the task's first metric, first minus second, paired by patient; the columns are
    `PLANNED`.

    `p_holm`: corrected for the planned tests of the task, in all planes. `detectable_with_twice`: the minimum
    detectable difference if there were twice as many patients, the present one divided by the square root of 2. A task
    whose pairs have no patient in common has no row.
    """
    found = [_of_task(tables, task, pairs, bootstrap) for task, pairs in planned.items() if pairs]
    found = [one for one in found if len(one)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(PLANNED))


def first_metric(task: str) -> str:
    """The metric on which a task's planned comparisons are made."""
    return TASKS[task].primary[0]


def _of_task(
    tables: Tables, task: str, pairs: Sequence[tuple[Side, Side]], bootstrap: Bootstrap | None
) -> pd.DataFrame:
    metric, rows = first_metric(task), tables.per_subject
    graded = TASKS[task].compared_as == GRADE.compared_as
    own = _OneTask(
        rows[(rows["task"] == task) & (rows["metric"] == metric)], tables.votes if graded else tables.votes.iloc[:0]
    )
    names = dict.fromkeys((a.model, b.model) for a, b in pairs)
    try:
        rows = compare_named(own, list(names), bootstrap, metrics={metric})
    except CompareError:  # no patient in common
        return pd.DataFrame(columns=list(PLANNED))
    camps = {(a.model, b.model): (a.camp, b.camp) for a, b in pairs}
    sides: list[tuple[str | None, str | None]] = [
        camps[a, b] for a, b in zip(rows["model_a"], rows["model_b"], strict=True)
    ]
    rows = rows.assign(
        camp_a=pd.Series([a for a, _ in sides], dtype=object),
        camp_b=pd.Series([b for _, b in sides], dtype=object),
        detectable_with_twice=rows["smallest_detectable"] / math.sqrt(2),
    )
    return rows[list(PLANNED)]
