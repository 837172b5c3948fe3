"""All settings that were tried for one network, or for fine-tuning one checkpoint, side by side."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import PartFigure, ReportContents, Setting, Settings

PARTS = ("training", "validation", "test")
ABSENT = "–"


@dataclass(frozen=True)
class SettingCell:
    """A figure as text: its value, its 95 % interval and its n; each empty where there is none."""

    value: str
    interval: str = ""
    n: str = ""

    @property
    def line(self) -> str:
        """The three in one line."""
        inside = f" ({self.interval})" if self.interval else ""
        return f"{self.value}{inside}{f', {self.n}' if self.n else ''}"


@dataclass(frozen=True)
class SettingRow:
    """One setting: its values, and a cell for each column of figures."""

    name: str
    chosen: bool
    note: str
    values: tuple[str, ...]
    cells: tuple[SettingCell, ...]


@dataclass(frozen=True)
class SettingsTable:
    """`keys`: the settings that differ. `groups`: each figure with the parts of the split that it was computed on."""

    title: str
    words: str
    keys: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[SettingRow, ...]


def settings_tables(contents: ReportContents) -> list[SettingsTable]:
    """One table for each model with several settings."""
    return [_table(one) for one in contents.settings]


def scored_figures(
    summary: pd.DataFrame, model: str, task: str, plane: str, names: Collection[str]
) -> dict[str, PartFigure]:
    """The figures of these names that a model has in its scores on a task it was asked, in their order."""
    own = summary[(summary["model"] == model) & (summary["plane"] == plane)]
    own = own[(own["task"] == task) & (own["source"] == task)]
    columns = (own[name] for name in ("metric", "value", "n_subjects", "low", "high"))
    found = {str(metric): PartFigure(value, n, low, high) for metric, value, n, low, high in zip(*columns, strict=True)}
    return {name: found[name] for name in names if name in found}


def _table(found: Settings) -> SettingsTable:
    keys = list(dict.fromkeys(key for one in found.tried for key in one.settings))
    columns = _columns(found.tried)
    return SettingsTable(
        found.title,
        found.words,
        tuple(key.replace("_", " ") for key in keys),
        tuple((metrics.title(metric), parts) for metric, parts in columns.items()),
        tuple(_row(one, keys, columns) for one in found.tried),
    )


def _columns(tried: Sequence[Setting]) -> dict[str, tuple[str, ...]]:
    """By metric, the parts of the split that any setting has it on."""
    named = dict.fromkeys(metric for one in tried for part in PARTS for metric in one.figures.get(part, {}))
    return {
        metric: tuple(part for part in PARTS if any(metric in one.figures.get(part, {}) for one in tried))
        for metric in named
    }


def _row(one: Setting, keys: Sequence[str], columns: Mapping[str, Sequence[str]]) -> SettingRow:
    cells = [
        _cell(one.figures.get(part, {}).get(metric), metrics.unit(metric))
        for metric, parts in columns.items()
        for part in parts
    ]
    values = tuple(setting_text(one.settings[key]) if key in one.settings else ABSENT for key in keys)
    return SettingRow(one.name, one.chosen, one.note, values, tuple(cells))


def _cell(figure: PartFigure | None, unit: str) -> SettingCell:
    if figure is None:
        return SettingCell(ABSENT)
    n = "" if figure.n is None else f"n {figure.n}"
    if math.isnan(figure.value):
        return SettingCell("not defined", n=n)
    inside = numbers.interval(figure.low, figure.high, unit)
    return SettingCell(numbers.with_unit(figure.value, unit), inside, n)


def setting_text(value: Any) -> str:
    """A setting as a study file would have it, small numbers as 4e-7."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting_text, value))
    return ABSENT if value is None else f"{value:g}" if isinstance(value, float) else str(value)
