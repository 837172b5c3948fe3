"""Tables of the page: each model's figures by task, with interval, n and coverage in every cell."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.tasks.registry import task_words

GROUPS = ("models", "human readers", "trivial baselines")  # of rows, in the order of the first table
ONE_REPORT = 32  # page, Markdown and tables for a paper show the same tables: each is made once


@dataclass(frozen=True)
class Bar:
    """A value and its interval on a scale from 0 to 1; `baseline` is the best trivial baseline on it."""

    value: float
    low: float | None
    high: float | None
    baseline: float | None


@dataclass(frozen=True)
class Cell:
    """One figure as text, the value empty where it is not defined. `reason` says why it or its interval is not;
    `origin` where a derived or one of several answers comes from ("from mask", "coronal")."""

    value: str
    interval: str
    reason: str
    n: str
    coverage: str
    origin: str
    bar: Bar | None


@dataclass(frozen=True)
class Row:
    """One model's line: a list of cells per column (several where there are several planes, none where not asked).
    `group`: one of `GROUPS`."""

    model: str
    group: str
    mark: str
    plane: str
    source: str
    cells: tuple[tuple[Cell, ...], ...]

    @property
    def baseline(self) -> bool:
        return self.group == "trivial baselines"


@dataclass(frozen=True)
class Column:
    """A column's heading; `better` is "higher", "lower" or the value that is best."""

    task: str
    metric: str
    title: str
    unit: str
    better: str


@dataclass(frozen=True)
class Table:
    """Columns and rows, with a sentence on how the intervals were made."""

    task: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    intervals: str


@lru_cache(maxsize=1)
def ranked_models(contents: ReportContents) -> list[str]:
    """All models, best first: models before human readers and trivial baselines, then by mean rank over the columns of
    the first table that they have a figure in. A model with several planes counts with their mean.
    """
    models = sorted(set(contents.summary["model"]))
    ranks = pd.DataFrame(index=models)
    for task, metric in metrics.columns_of(contents.summary):
        values = metrics.nearest(contents.summary, task, metric).groupby("model")["value"].mean().reindex(models)
        ranks[task, metric] = values.drop(sorted(contents.references), errors="ignore").rank(
            ascending=metrics.lower_is_better(metric)
        )
    mean = ranks.mean(axis=1).fillna(math.inf)
    return sorted(models, key=lambda model: (GROUPS.index(group_of(contents, model)), mean[model], model))


@lru_cache(maxsize=1)
def first_table(contents: ReportContents) -> Table:
    """Models x tasks with the primary metrics: the table a reader wants first."""
    keys = metrics.columns_of(contents.summary)
    picked = {key: metrics.nearest(contents.summary, *key) for key in keys}
    several = _several_planes(contents.summary)
    cells: dict[Any, list[Cell]] = defaultdict(list)
    for key, table in picked.items():
        scale = _scale(table, contents.baselines)
        for entry in table.itertuples():
            cells[entry.model, key].append(_cell(entry, scale, _origin(entry, several)))
    rows = [
        _row(contents, model, "", "", tuple(tuple(cells[model, key]) for key in keys))
        for model in ranked_models(contents)
    ]
    shown = pd.concat(picked.values()) if picked else contents.summary
    return Table("", tuple(_column(contents, shown, *key) for key in keys), tuple(rows), interval_methods(shown))


@lru_cache(maxsize=ONE_REPORT)
def task_table(contents: ReportContents, task: str) -> Table:
    """Every metric of one task for every model, plane and source, best first by the task's first metric; human readers
    last."""
    summary = contents.summary[contents.summary["task"] == task]
    names = metrics.metrics_of(summary, task)
    scales = {name: _scale(summary[summary["metric"] == name], contents.baselines) for name in names}
    cells: dict[Any, list[Cell]] = defaultdict(list)
    for entry in summary.itertuples():
        cells[entry.model, entry.plane, entry.source, entry.metric].append(_cell(entry, scales[str(entry.metric)], ""))
    rows = []
    for model, plane, source in sorted(_best_first(summary, names[0]), key=lambda line: line[0] in contents.references):
        own = tuple(tuple(cells[model, plane, source, name]) for name in names)
        rows.append(_row(contents, model, plane, "" if source == task else source, own))
    called = task_words(task, contents.problem)
    columns = tuple(_column(contents, summary, task, name) for name in names)
    return Table(called, columns, tuple(rows), interval_methods(summary))


def _row(contents: ReportContents, model: str, plane: str, source: str, cells: tuple[tuple[Cell, ...], ...]) -> Row:
    return Row(model, group_of(contents, model), contents.marks.get(model, ""), plane, source, cells)


def group_of(contents: ReportContents, model: str) -> str:
    """Which of `GROUPS` a row is in."""
    return GROUPS[2 if model in contents.baselines else 1 if model in contents.references else 0]


def _column(contents: ReportContents, summary: pd.DataFrame, task: str, metric: str) -> Column:
    units = summary.loc[(summary["task"] == task) & (summary["metric"] == metric), "unit"]
    unit = str(units.iloc[0])
    called, title = task_words(task, contents.problem), metrics.title(metric)
    return Column(called, metric, title, "" if unit == "share" else unit, metrics.better(metric))


def _several_planes(summary: pd.DataFrame) -> bool:
    return len(set(summary["plane"]) - {"volume"}) > 1


def _best_first(summary: pd.DataFrame, metric: str) -> list[tuple[str, str, str]]:
    """(model, plane, source) of every line, best value of `metric` first, lines without a value last."""
    lower = metrics.lower_is_better(metric)
    values: dict[tuple[str, str, str], float] = {}
    entry: Any
    for entry in summary.itertuples():
        key = (entry.model, entry.plane, entry.source)
        values.setdefault(key, math.inf)
        if entry.metric == metric and not math.isnan(entry.value):
            values[key] = entry.value if lower else -entry.value
    return sorted(values, key=lambda key: (values[key], key))


@dataclass(frozen=True)
class _Scale:
    """From values to 0..1: the whole range of a proportion, or 0 to the largest value of the column."""

    top: float
    baseline: float | None

    def place(self, value: float) -> float | None:
        return None if math.isnan(value) else min(max(value / self.top, 0.0), 1.0)


def _scale(table: pd.DataFrame, baselines: frozenset[str]) -> _Scale:
    if table.empty:
        return _Scale(1.0, None)
    metric = str(table["metric"].iloc[0])
    lower = metrics.lower_is_better(metric)
    top = float(table[["value", "high"]].max().max()) if lower or metrics.unit(metric) else 1.0
    values = table.loc[table["model"].isin(sorted(baselines)), "value"].dropna()
    best = None if values.empty else float(values.min() if lower else values.max())
    scale = _Scale(top if top > 0 else 1.0, None)
    return scale if best is None else _Scale(scale.top, scale.place(best))


def _origin(entry: Any, several_planes: bool) -> str:
    """Where a figure comes from, as far as the table's own columns do not say it."""
    words = [] if entry.source == entry.task else [f"from {entry.source}"]
    words += [str(entry.plane)] if several_planes and entry.plane != "volume" else []
    return ", ".join(words)


def _cell(entry: Any, scale: _Scale, origin: str) -> Cell:
    """`entry`: a row of the summary, as `itertuples` gives it."""
    unit = str(entry.unit)
    value, low, high = float(entry.value), float(entry.low), float(entry.high)
    place = scale.place(value) if metrics.better(str(entry.metric)) in ("higher", "lower") else None
    return Cell(
        value="" if math.isnan(value) else numbers.number(value, unit),
        interval=numbers.interval(low, high, unit),
        reason=str(entry.reason),
        n=f"n {int(entry.n_subjects)}",
        coverage=numbers.percent(float(entry.coverage)),
        origin=origin,
        bar=None if place is None else Bar(place, scale.place(low), scale.place(high), scale.baseline),
    )


def interval_methods(summary: pd.DataFrame) -> str:
    """How the intervals were made, one method after the other with its metrics."""
    defined = summary[summary["low"].notna() & summary["high"].notna()]
    methods: dict[str, list[str]] = {}
    for method, metric in zip(defined["interval"], defined["metric"], strict=True):
        names = methods.setdefault(str(method), [])
        if metrics.title(str(metric)) not in names:
            names.append(metrics.title(str(metric)))
    return "; ".join(f"{method} ({', '.join(names)})" for method, names in methods.items())
