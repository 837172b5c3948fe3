"""Masks among hard patients and fold by fold, as tables of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from gliobench.report.contents import ReportContents


@dataclass(frozen=True)
class StratumCell:
    """Mean and median Dice of `n` patients, as text."""

    mean: str
    median: str
    n: int


@dataclass(frozen=True)
class StrataTable:
    """One row per model, one column per group; None where a model has no patient in a group."""

    groups: tuple[str, ...]
    rows: tuple[tuple[str, tuple[StratumCell | None, ...]], ...]


def strata_tables(contents: ReportContents, models: Sequence[str]) -> list[tuple[str, str, str, StrataTable]]:
    """(anchor, title, words, table) of what there is, models in the order given."""
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
    return [(anchor, title, words, _table(rows, models)) for anchor, title, words, rows in found if rows is not None]


def _table(rows: pd.DataFrame, models: Sequence[str]) -> StrataTable:
    groups = tuple(dict.fromkeys(rows["group"]))
    cells = {
        (row.model, row.group): StratumCell(f"{row.mean:.2f}", f"{row.median:.2f}", int(str(row.n)))
        for row in rows.itertuples()
    }
    shown = [model for model in models if model in set(rows["model"])]
    return StrataTable(groups, tuple((model, tuple(cells.get((model, group)) for group in groups)) for model in shown))
