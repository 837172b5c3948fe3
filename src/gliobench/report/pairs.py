"""Models against baselines, patient by patient."""

from dataclasses import dataclass

import pandas as pd

from gliobench.report import metrics, numbers


@dataclass(frozen=True)
class PairRow:
    """One comparison in words: `difference` is model minus baseline, `p` is corrected for all
    tests, "–" where there is none."""

    task: str
    metric: str
    model: str
    baseline: str
    difference: str
    interval: str
    p: str
    n: int
    shown: bool
    words: str


def pair_rows(comparisons: pd.DataFrame | None) -> list[PairRow]:
    """The rows of a table made by `gliobench.scoring.compare.compare`, in the order of the tasks."""
    if comparisons is None:
        return []
    return [
        _row(row)
        for task in metrics.tasks_of(comparisons)
        for _, row in comparisons[comparisons["task"] == task].iterrows()
    ]


def _row(row: pd.Series) -> PairRow:
    unit = metrics.unit(row["metric"])
    return PairRow(
        task=row["task"],
        metric=metrics.title(row["metric"]),
        model=row["model_a"],
        baseline=row["model_b"],
        difference=_signed(row["difference"], unit),
        interval="" if pd.isna(row["low"]) else f"{_signed(row['low'], unit)} to {_signed(row['high'], unit)}",
        p="–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.2g}",
        n=int(row["n_subjects"]),
        shown=bool(row["shown"]),
        words=row["words"],
    )


def _signed(value: float, unit: str) -> str:
    if pd.isna(value):
        return "not defined"
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return sign + numbers.with_unit(abs(float(value)), unit)
