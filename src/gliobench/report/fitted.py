"""Each network's final figures on training, validation and test patients, side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from gliobench.report import metrics, numbers
from gliobench.report.contents import Fitted, ReportContents

WORDS = (
    "Training figures are in-sample: they say how closely the network fits the patients it was trained on (at most 40 "
    "of them, drawn), and nothing about others. Its epoch and threshold were chosen on the validation patients. Only "
    "the test column says what to expect of a new patient."
)
ABSENT = "–"


@dataclass(frozen=True)
class FittedRow:
    """One figure of one network as text: value and number of patients per part of the split."""

    model: str
    fold: str
    metric: str
    training: str
    validation: str
    test: str


def fitted_rows(contents: ReportContents) -> list[FittedRow]:
    """One row per network, fold and metric; the joint test figure of several folds has a row of its own."""
    rows = []
    for model in dict.fromkeys(one.model for one in contents.fitted):
        folds = [one for one in contents.fitted if one.model == model]
        for metric in dict.fromkeys(metric for one in folds for part in one.figures.values() for metric in part):
            test = _test(contents.summary, model, folds[0].task, metric)
            rows += _rows(folds, metric, test)
    return rows


def _rows(folds: Sequence[Fitted], metric: str, test: str) -> list[FittedRow]:
    title = metrics.title(metric)
    alone = len(folds) == 1
    rows = [
        FittedRow(
            one.model,
            str(one.fold),
            title,
            _of_part(one, "training", metric),
            _of_part(one, "validation", metric),
            test if alone else ABSENT,
        )
        for one in folds
    ]
    return rows if alone else [*rows, FittedRow(folds[0].model, "all", title, ABSENT, ABSENT, test)]


def _of_part(one: Fitted, part: str, metric: str) -> str:
    found = one.figures.get(part, {}).get(metric)
    return ABSENT if found is None else _text(*found, "", metrics.unit(metric))


def _test(summary: pd.DataFrame, model: str, task: str, metric: str) -> str:
    own = summary[(summary["model"] == model) & (summary["metric"] == metric) & (summary["plane"] == "volume")]
    own = own[(own["task"] == task) & (own["source"] == task)]
    if own.empty:
        return ABSENT
    row = own.iloc[0]
    unit = metrics.unit(metric)
    inside = numbers.interval(row["low"], row["high"], unit)
    return _text(float(row["value"]), int(row["n_subjects"]), inside, unit)


def _text(value: float, n: int, interval: str, unit: str) -> str:
    if math.isnan(value):
        return f"not defined, n {n}"
    return f"{numbers.with_unit(value, unit)}{f' ({interval})' if interval else ''}, n {n}"
