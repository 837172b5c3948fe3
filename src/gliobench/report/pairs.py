"""Models against baselines, and against human readers, patient by patient."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.report.tables import interval_methods
from gliobench.tasks.registry import task_words

SHOWN = "A difference counts as shown only if its 95 % interval excludes 0 and p, corrected for the"


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


@dataclass(frozen=True)
class PairTable:
    """Comparisons whose p are corrected together. `words`: what is compared, and for how many tests."""

    words: str
    rows: tuple[PairRow, ...]


def pair_tables(contents: ReportContents) -> list[PairTable]:
    """The comparisons with baselines and those with human readers, where there are any."""
    rows = pair_rows(contents)
    human = tuple(row for row in rows if row.baseline in contents.references)
    others = tuple(row for row in rows if row.baseline not in contents.references)
    found = (PairTable(_beside_baselines(others), others), PairTable(_beside_readers(human), human))
    intervals = "" if contents.comparisons is None else interval_methods(contents.comparisons)
    return [replace(table, words=f"{table.words} Intervals: {intervals}.") for table in found if table.rows]


def _beside_baselines(rows: Sequence[PairRow]) -> str:
    return (
        "Models against baselines on the same patients, paired by patient; model minus baseline. "
        f"{SHOWN} {_tests(rows)} among them (Holm), is below 0.05."
    )


def _beside_readers(rows: Sequence[PairRow]) -> str:
    return (
        "Models beside human readers, model minus readers, with a correction of their own "
        f"({_tests(rows)}). The two are scored against different masks: a model against that of all readers, each "
        "reader against that of the others. A model above the readers agrees better with the consensus than a reader "
        "does with the others; it is not shown to outline better than a reader."
    )


def _tests(rows: Sequence[PairRow]) -> str:
    count = sum(row.p != "–" for row in rows)
    return f"{count} test{'s' if count != 1 else ''}"


def pair_rows(contents: ReportContents) -> list[PairRow]:
    """The rows of the comparisons, in the order of the tasks."""
    comparisons = contents.comparisons
    if comparisons is None:
        return []
    return [
        _row(row, task_words(task, contents.problem))
        for task in metrics.tasks_of(comparisons)
        for _, row in comparisons[comparisons["task"] == task].iterrows()
    ]


def _row(row: pd.Series, task: str) -> PairRow:
    unit = metrics.unit(row["metric"])
    return PairRow(
        task=task,
        metric=metrics.title(row["metric"]),
        model=row["model_a"],
        baseline=row["model_b"],
        difference=signed(row["difference"], unit),
        interval="" if pd.isna(row["low"]) else f"{signed(row['low'], unit)} to {signed(row['high'], unit)}",
        p="–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.2g}",
        n=int(row["n_subjects"]),
        shown=bool(row["shown"]),
        words=row["words"],
    )


def signed(value: float, unit: str) -> str:
    """A difference with its sign and unit."""
    if pd.isna(value):
        return "not defined"
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return sign + numbers.with_unit(abs(float(value)), unit)
