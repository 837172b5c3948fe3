"""The title of each metric, its direction, and which metrics come first."""

import pandas as pd

from gliobench.grid.regions import REGIONS
from gliobench.scoring.registry import named
from gliobench.tasks.base import OF
from gliobench.tasks.chain import steps
from gliobench.tasks.mask import MaskTask
from gliobench.tasks.registry import TASKS, plain

INNER = REGIONS[1:]  # the parts of a target that some models tell apart
VOLUMES = (MaskTask.name, *INNER)


def primary(task: str) -> tuple[str, ...]:
    """The metrics of a task, or of a part of the target, that a reader wants first."""
    if task in INNER:
        return MaskTask.primary
    return TASKS[task].primary if task in TASKS else ()


def first_metrics() -> set[str]:
    """Of every task the one metric that a reader wants first."""
    return {metric for task in TASKS.values() for metric in task.primary[:1]}


def title(metric: str) -> str:
    """A metric's name for people, without its unit."""
    return named(metric).title


def unit(metric: str) -> str:
    """A metric's unit, empty where it has none."""
    found = named(metric).unit
    return "" if found == "share" else found


def lower_is_better(metric: str) -> bool:
    """True for distances and errors."""
    return named(metric).lower_is_better


def better(metric: str) -> str:
    """ "higher", "lower", or the value that is best."""
    return named(metric).better


def tasks_of(table: pd.DataFrame) -> list[str]:
    """The tasks of a table in the order of `TASKS`, then those of one region each, region by region, then parts of the
    target; unknown ones last."""
    found = list(dict.fromkeys(table["task"]))
    regions = dict.fromkeys(TASKS[task].region_name for task in found if task in TASKS)
    regional = [f"{task}{OF}{region}" for region in regions if region for task in TASKS]
    known = [task for task in (*TASKS, *regional, *INNER) if task in found]
    return known + [task for task in found if task not in known]


def metrics_of(table: pd.DataFrame, task: str) -> list[str]:
    """The metrics of one task, the primary ones first, the others as they come."""
    found = list(dict.fromkeys(table.loc[table["task"] == task, "metric"]))
    first = primary(task)
    return [metric for metric in first if metric in found] + [metric for metric in found if metric not in first]


def columns_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(task, metric) of the first table's columns: the primary metrics that were scored, else a task's first one."""
    columns = []
    for task in tasks_of(table):
        found = metrics_of(table, task)
        first = [metric for metric in found if metric in primary(task)]
        columns += [(task, metric) for metric in first or found[:1]]
    return columns


def nearest(table: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """The rows of a metric, one source per model: the task itself, else the nearest task it answered.

    The source follows from the task alone, never from the values. Masks are compared as volumes where there are
    such rows, all other tasks slice by slice.
    """
    rows = table[(table["task"] == task) & (table["metric"] == metric)]
    distance = rows["source"].map(lambda source: steps(str(source), task))
    rows = rows[distance == distance.groupby(rows["model"]).transform("min")]
    preferred = (rows["plane"] == "volume") == (plain(task) in VOLUMES)
    return rows[preferred | ~preferred.groupby(rows["model"]).transform("any")]
