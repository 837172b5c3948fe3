"""The title of each metric, its direction, and which metrics come first."""

import pandas as pd

from gliobench.grid.regions import REGIONS
from gliobench.scoring.registry import named
from gliobench.tasks.chain import steps
from gliobench.tasks.mask import MaskTask
from gliobench.tasks.registry import TASKS

INNER = REGIONS[1:]  # the parts of a tumour that some models tell apart
VOLUMES = (MaskTask.name, *INNER)
TASK_ORDER = (*TASKS, *INNER)
PRIMARY = {name: task.primary for name, task in TASKS.items()} | dict.fromkeys(INNER, MaskTask.primary)


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
    """The tasks of a table in the order of `TASK_ORDER`; unknown ones last."""
    found = list(dict.fromkeys(table["task"]))
    return [task for task in TASK_ORDER if task in found] + [task for task in found if task not in TASK_ORDER]


def metrics_of(table: pd.DataFrame, task: str) -> list[str]:
    """The metrics of one task, the primary ones first, the others as they come."""
    found = list(dict.fromkeys(table.loc[table["task"] == task, "metric"]))
    primary = PRIMARY.get(task, ())
    return [metric for metric in primary if metric in found] + [metric for metric in found if metric not in primary]


def columns_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(task, metric) of the first table's columns: the primary metrics that were scored, else a task's first one."""
    columns = []
    for task in tasks_of(table):
        found = metrics_of(table, task)
        primary = [metric for metric in found if metric in PRIMARY.get(task, ())]
        columns += [(task, metric) for metric in primary or found[:1]]
    return columns


def nearest(table: pd.DataFrame, task: str, metric: str) -> pd.DataFrame:
    """The rows of a metric, one source per model: the task itself, else the nearest task it answered.

    The source follows from the task alone, never from the values. Masks are compared as volumes where there are
    such rows, all other tasks slice by slice.
    """
    rows = table[(table["task"] == task) & (table["metric"] == metric)]
    distance = rows["source"].map(lambda source: steps(str(source), task))
    rows = rows[distance == distance.groupby(rows["model"]).transform("min")]
    preferred = (rows["plane"] == "volume") == (task in VOLUMES)
    return rows[preferred | ~preferred.groupby(rows["model"]).transform("any")]
