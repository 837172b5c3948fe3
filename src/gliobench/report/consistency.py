"""Consistency: how alike a model's answers to the same slice are, as a table and as bars."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliobench.cohort.problem import Problem
from gliobench.report import drawing, metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.scoring.consistency import UNANSWERED
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import task_words

TITLES = {
    "agreement": "commonest answer",
    "pairwise_agreement": "pairs that agree",
    "entropy_bits": "entropy, bits",
    "flip_rate": "flip rate",
    "spread_mm": "spread, mm",
}
SHOWN_ANSWERS = 3


@dataclass(frozen=True)
class ConsistencyCell:
    """One figure as text, the value empty where it is not defined; `reason` why it or its interval is not."""

    value: str
    interval: str
    reason: str


@dataclass(frozen=True)
class ConsistencyRow:
    """One input, or all inputs of a model (`overall`), as text."""

    model: str
    sampling: str
    where: str
    overall: bool
    asked: int
    answers: str
    cells: tuple[ConsistencyCell, ...]


@dataclass(frozen=True)
class ConsistencyTable:
    """One task's rows, model by model, under the titles of their figures.

    `drawings`: (model, its sampling settings, drawing) for every model, one bar per input, one piece
    per distinct answer. `legend`: (colour, meaning) of the pieces.
    """

    task: str
    titles: tuple[str, ...]
    rows: tuple[ConsistencyRow, ...]
    drawings: tuple[tuple[str, str, Markup], ...]
    legend: tuple[tuple[str, str], ...]


def consistency_tables(contents: ReportContents) -> list[ConsistencyTable]:
    """One table per task: every model with all its inputs together, then one by one. Empty if nothing was repeated."""
    if contents.consistency is None:
        return []
    figures, answers = contents.consistency.figures, contents.consistency.answers
    return [
        _table(contents, task, figures[figures["task"] == task], answers[answers["task"] == task])
        for task in metrics.tasks_of(figures)
    ]


def _colours(problem: Problem) -> dict[str, str]:
    """By answer, in the order of the legend."""
    others = {problem.no_target: drawing.NO_TARGET, UNANSWERED: drawing.UNANSWERED}
    return dict(zip(problem.classes, drawing.CLASSES, strict=False)) | others


def _table(contents: ReportContents, task: str, figures: pd.DataFrame, answers: pd.DataFrame) -> ConsistencyTable:
    names = list(dict.fromkeys(figures["metric"]))
    rows: list[ConsistencyRow] = []
    drawings: list[tuple[str, str, Markup]] = []
    for name, own in figures.groupby("model", sort=True):
        model, sampling, said = str(name), contents.sampling.get(str(name), ""), answers[answers["model"] == name]
        whole, single = own[own["subject"].isna()], own[own["subject"].notna()]
        inputs = _inputs(single)
        if len(inputs) > 1:
            rows.append(_row(model, sampling, whole, names, None))
        for key, part in inputs.items():
            own = _of_input(said, key)
            rows.append(_row(model, sampling, part, names, (_where(own, contents.problem), _said(own))))
        label = f"Answers of {model} to the same slice"
        size = (5.0, 0.8 + 0.3 * len(inputs))
        paint = partial(_paint, said, contents.problem)
        figure = drawing.draw(f"consistency-{task}-{len(drawings)}", label, size, paint)
        drawings.append((model, sampling, figure))
    titles = tuple(TITLES[name] for name in names)
    called = task_words(task, contents.problem)
    return ConsistencyTable(called, titles, tuple(rows), tuple(drawings), _legend(task, contents.problem))


def _inputs(table: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """The rows of every input, by patient and slice."""
    return {
        (str(subject), int(part["index"].iloc[0])): part
        for subject, own in table.groupby("subject", sort=True)
        for _, part in own.groupby("index", sort=True)
    }


def _of_input(answers: pd.DataFrame, key: tuple[str, int]) -> pd.DataFrame:
    return answers[(answers["subject"] == key[0]) & (answers["index"] == key[1])]


def _legend(task: str, problem: Problem) -> tuple[tuple[str, str], ...]:
    if task == GRADE.name:
        return tuple((colour, name) for name, colour in _colours(problem).items())
    others = tuple((_colours(problem)[name], name) for name in (problem.no_target, UNANSWERED))
    return (drawing.MODEL, "the commonest location, then the others, paler"), *others


def _row(
    model: str, sampling: str, part: pd.DataFrame, names: list[str], answers: tuple[str, str] | None
) -> ConsistencyRow:
    """`answers`: which input, and what was said to it; None for all inputs together."""
    by_metric = part.set_index("metric")
    first: Any = by_metric.loc["agreement"]
    cells = tuple(_cell(by_metric.loc[name]) for name in names)
    asked = int(first["n_asked"])
    if answers is None:
        return ConsistencyRow(model, sampling, f"all {int(first['n_inputs'])} slices", True, asked, "", cells)
    where, said = answers
    return ConsistencyRow(model, sampling, where, False, asked, said, cells)


def _cell(entry: Any) -> ConsistencyCell:
    value = "" if pd.isna(entry["value"]) else numbers.number(float(entry["value"]), entry["unit"])
    ends = numbers.interval(float(entry["low"]), float(entry["high"]), entry["unit"])
    return ConsistencyCell(value, ends, str(entry["reason"]))


def _where(own: pd.DataFrame, problem: Problem) -> str:
    """`BraTS_001 (HGG), axial 31`."""
    first = own.iloc[0]
    grade = "" if pd.isna(first["grade"]) else f" ({problem.class_name(int(first['grade']))})"
    return f"{first['subject']}{grade}, {first['plane']} {int(first['index'])}"


def _said(own: pd.DataFrame) -> str:
    """`77 HGG, 18 LGG`; of many different answers the first few."""
    said = [f"{count} {drawing.shortened(text)}" for text, count in zip(own["answer"], own["count"], strict=True)]
    rest = len(said) - SHOWN_ANSWERS
    return ", ".join(said[:SHOWN_ANSWERS]) + (f" and {rest} more" if rest > 0 else "")


def _paint(answers: pd.DataFrame, problem: Problem, figure: Figure) -> None:
    colours = _colours(problem)
    inputs = list(_inputs(answers).values())
    located = answers["to_medoid_mm"].notna().any()
    if located:
        bars, distances = figure.subplots(1, 2, sharey=True)
        _paint_distances(distances, inputs)
    else:
        bars = figure.subplots()
    for height, own in enumerate(inputs):
        left, others = 0.0, 0
        for text, count in zip(own["answer"], own["count"], strict=True):
            share = count / own["count"].sum()
            strength = 1.0
            if text not in colours:
                strength, others = max(0.8**others, 0.15), others + 1
            colour = colours.get(text, drawing.MODEL)
            bars.barh(height, share, left=left, height=0.62, color=colour, alpha=strength, edgecolor="white")
            left += share
    bars.set_yticks(range(len(inputs)), [_where(own, problem) for own in inputs], color=drawing.INK)
    bars.set_ylim(len(inputs) - 0.5, -0.5)
    bars.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), xlabel="share of the answers")
    bars.grid(visible=False, axis="y")


def _paint_distances(axes: Axes, inputs: list[pd.DataFrame]) -> None:
    for height, own in enumerate(inputs):
        placed = own[own["to_medoid_mm"].notna()]
        sizes = 12 * np.sqrt(placed["count"].to_numpy(dtype=np.float64))
        axes.scatter(placed["to_medoid_mm"], [height] * len(placed), s=sizes, c=drawing.MODEL, alpha=0.55, linewidths=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("to the medoid (mm)")
    axes.grid(visible=False, axis="y")
