"""Masks among hard patients, fold by fold, and the first figures by subgroup, as tables of the page."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents

SITES = (
    "The first figure of each task at all sites together and at each, with its 95 % interval. Sites differ in "
    "patients, scanners and readers, and models that learn did so at each: a difference between two has no one cause. "
    "Figures of few patients differ by chance."
)
GAP = "gap"  # the last column


@dataclass(frozen=True)
class StratumCell:
    """The figure of `n` patients as text, empty where it is not defined; `beside`: its spread, or why there is none."""

    value: str
    beside: str
    n: int


@dataclass(frozen=True)
class StrataRow:
    """One model's cells, one per group; None where it has no patient in a group. `plane`: of several."""

    model: str
    plane: str
    cells: tuple[StratumCell | None, ...]


@dataclass(frozen=True)
class StrataTable:
    """One row per model, one column per group. `title`: empty where it is the section's only table."""

    title: str
    groups: tuple[str, ...]
    rows: tuple[StrataRow, ...]


@dataclass(frozen=True)
class StrataSection:
    """Tables under one heading."""

    anchor: str
    title: str
    words: str
    tables: tuple[StrataTable, ...]


def strata_sections(contents: ReportContents, models: Sequence[str]) -> list[StrataSection]:
    """What there is, models in the order given."""
    found = (
        (
            "hard",
            "Where masks fail",
            f"Mean Dice of the {contents.region} among patients that are hard: small, ragged, or in several parts.",
            contents.by_shape,
        ),
        (
            "folds",
            "Fold by fold",
            f"Mean Dice of the {contents.region} in each tested fold: how much the figures depend on who was tested.",
            contents.by_fold,
        ),
    )
    sections = [
        StrataSection(anchor, title, words, (_means(rows, models),))
        for anchor, title, words, rows in found
        if rows is not None
    ]
    if contents.by_site is not None:
        tables = tuple(_subgroup_tables(contents.by_site, None, models))
        sections.append(StrataSection("sites", "Site by site", SITES, tables))
    if contents.subgroups is not None:
        tables = tuple(_subgroup_tables(contents.subgroups, contents.gaps, models))
        sections.append(StrataSection("subgroups", "Subgroups", _exploratory(contents.subgroups), tables))
    return sections


def _means(rows: pd.DataFrame, models: Sequence[str]) -> StrataTable:
    groups = tuple(dict.fromkeys(rows["group"]))
    cells = {
        (row.model, row.group): StratumCell(f"{row.mean:.2f}", f"median {row.median:.2f}", int(str(row.n)))
        for row in rows.itertuples()
    }
    shown = [model for model in models if model in set(rows["model"])]
    lines = (StrataRow(model, "", tuple(cells.get((model, group)) for group in groups)) for model in shown)
    return StrataTable("", groups, tuple(lines))


def _exploratory(rows: pd.DataFrame) -> str:
    """How many figures were looked at, and what they are worth."""
    count = int(rows["value"].notna().sum())
    variables = numbers.listed(list(dict.fromkeys(rows["variable"])))
    return (
        "The first figure of each task, and of classes the accuracy, among test patients by "
        f"{variables}, with its 95 % interval. Exploratory: {count} figures of subgroups were looked at, and no "
        f"interval is corrected for that; of so many, about {round(count / 20)} can be expected to miss what they "
        "estimate. A subgroup that stands out here is a question for other patients, not a finding. The gap lies "
        "between a model's worst and best subgroup, of those with at least five patients; as they were picked by "
        "their figures, it is rather too large."
    )


def _subgroup_tables(rows: pd.DataFrame, gaps: pd.DataFrame | None, models: Sequence[str]) -> Iterator[StrataTable]:
    """One table per variable, task and metric."""
    for variable in dict.fromkeys(rows["variable"]):
        own = rows[rows["variable"] == variable]
        sizes = dict(zip(own["group"], own["n_patients"], strict=True))
        heads = tuple(f"{group} ({numbers.patients(int(size))})" for group, size in sizes.items())
        for task, metric in dict.fromkeys(zip(own["task"], own["metric"], strict=True)):
            of_metric = own[(own["task"] == task) & (own["metric"] == metric)]
            several = of_metric["plane"].nunique() > 1
            cells = {(row.model, row.plane, row.group): _cell(row, metric) for _, row in of_metric.iterrows()}
            if gaps is not None:
                same = (gaps[["variable", "task", "metric"]] == [variable, task, metric]).all(axis=1)
                cells |= _gap_cells(gaps[same])
            gap = () if gaps is None else (GAP,)
            columns = (*sizes, *gap)
            lines = [
                StrataRow(model, plane if several else "", tuple(cells.get((model, plane, one)) for one in columns))
                for model in models
                for plane in dict.fromkeys(of_metric.loc[of_metric["model"] == model, "plane"])
            ]
            yield StrataTable(f"{variable}: {task}, {metrics.title(metric)}", (*heads, *gap), tuple(lines))


def _gap_cells(gaps: pd.DataFrame) -> dict[tuple[str, str, str], StratumCell]:
    cells = {}
    for _, row in gaps.iterrows():
        cell = _cell(row, str(row["metric"]))
        worst = f"{cell.beside}; worst: {row['worst']}" if row["worst"] else cell.beside
        cells[str(row["model"]), str(row["plane"]), GAP] = StratumCell(cell.value, worst, cell.n)
    return cells


def _cell(row: "pd.Series[Any]", metric: str) -> StratumCell:
    unit = metrics.unit(metric)
    ends = numbers.interval(float(row["low"]), float(row["high"]), unit)
    value = "" if math.isnan(row["value"]) else numbers.with_unit(float(row["value"]), unit)
    return StratumCell(value, ends or str(row["reason"]), int(row["n"]))
