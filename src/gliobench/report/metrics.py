"""How a metric is called, which way is better, and which ones a reader wants first."""

import pandas as pd

from gliobench.tasks.chain import steps

VOLUMES = ("mask", "core", "enhancing")
TASK_ORDER = ("grade", "centre", "box", "polygon", "mask", "core", "enhancing")

PRIMARY: dict[str, tuple[str, ...]] = {
    "grade": ("balanced_accuracy", "auc"),
    "centre": ("distance_to_centre_mm", "in_box"),
    "box": ("dice",),
    "polygon": ("dice",),
    "mask": ("dice", "hd95_mm"),
    "core": ("dice", "hd95_mm"),
    "enhancing": ("dice", "hd95_mm"),
}

TITLES = {
    "auc": "AUC",
    "brier": "Brier score",
    "dice": "Dice",
    "f1": "F1",
    "hd95_mm": "HD95",
    "in_box": "in box",
    "distance_to_centre_mm": "distance to centre",
    "distance_to_box_mm": "distance to box",
}

LOWER = frozenset({"brier", "calibration_error", "relative_distance"})
AIMS = {"calibration_slope": "1", "calibration_intercept": "0"}


def title(metric: str) -> str:
    """A metric's name for people, without its unit."""
    return TITLES.get(metric, metric.replace("_mm", "").replace("_", " "))


def unit(metric: str) -> str:
    """A metric's unit, empty where it has none."""
    return "mm" if "_mm" in metric else ""


def lower_is_better(metric: str) -> bool:
    """True for distances and errors."""
    return "_mm" in metric or metric in LOWER


def better(metric: str) -> str:
    """ "higher", "lower", or the value that is best."""
    return AIMS.get(metric, "lower" if lower_is_better(metric) else "higher")


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
    """The rows of a metric, one source a model: the task itself, else the nearest task it answered.

    The source follows from the task alone, never from the values. Masks are compared as volumes where there are
    such rows, all other tasks slice by slice.
    """
    rows = table[(table["task"] == task) & (table["metric"] == metric)]
    distance = rows["source"].map(lambda source: steps(str(source), task))
    rows = rows[distance == distance.groupby(rows["model"]).transform("min")]
    preferred = (rows["plane"] == "volume") == (task in VOLUMES)
    return rows[preferred | ~preferred.groupby(rows["model"]).transform("any")]
