"""The same slice again and again: how alike a model's answers are, as a table and as bars."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliobench.cohort.subject import GRADE_NAMES
from gliobench.report import drawing, numbers
from gliobench.report.contents import ReportContents
from gliobench.scoring.consistency import UNANSWERED

TITLES = {
    "agreement": "commonest answer",
    "pairwise_agreement": "pairs that agree",
    "entropy_bits": "entropy, bits",
    "flip_rate": "flip rate",
    "spread_mm": "spread, mm",
}
COLOURS = {
    "LGG": drawing.TRUE_NEGATIVE,
    "HGG": drawing.FALSE_POSITIVE,
    "no glioma": drawing.TRUE_POSITIVE,
    UNANSWERED: "#c9d0d6",
}
SHOWN_ANSWERS = 3


@dataclass(frozen=True)
class ConsistencyRow:
    """One input, or all inputs of a model (`overall`), as text. `cells`: (value, interval or why there is none)."""

    model: str
    sampling: str
    where: str
    overall: bool
    asked: int
    answers: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ConsistencyTable:
    """The rows, model by model, under the titles of their figures; `task` is what was asked."""

    task: str
    titles: tuple[str, ...]
    rows: tuple[ConsistencyRow, ...]


def consistency_table(contents: ReportContents) -> ConsistencyTable | None:
    """Every model with all its inputs together, then one by one; None where nothing was asked twice."""
    if contents.consistency is None or contents.consistency.figures.empty:
        return None
    figures = contents.consistency.figures
    metrics = list(dict.fromkeys(figures["metric"]))
    rows: list[ConsistencyRow] = []
    for model, own in figures.groupby("model", sort=True):
        single = own["subject"].nunique() == 1
        for subject, part in own.groupby(own["subject"].fillna(""), sort=True):
            if not (single and subject == ""):
                rows.append(_row(contents, str(model), str(subject), part.set_index("metric"), metrics))
    return ConsistencyTable(str(figures["task"].iloc[0]), tuple(TITLES[metric] for metric in metrics), tuple(rows))


def draw_consistency(contents: ReportContents) -> list[tuple[str, str, Markup]]:
    """(model, its sampling settings, drawing) for every model: a bar an input, one piece an answer."""
    if contents.consistency is None:
        return []
    drawings: list[tuple[str, str, Markup]] = []
    for model, answers in contents.consistency.answers.groupby("model", sort=True):
        height = 0.8 + 0.3 * answers["subject"].nunique()
        label = f"Answers of {model} to the same slice"
        figure = drawing.draw(f"consistency-{len(drawings)}", label, (5.0, height), partial(_paint, answers))
        drawings.append((str(model), contents.sampling.get(str(model), ""), figure))
    return drawings


def consistency_legend(contents: ReportContents) -> list[tuple[str, str]]:
    """(colour, meaning) of the pieces of the bars."""
    if contents.consistency is None or contents.consistency.figures.empty:
        return []
    if contents.consistency.figures["task"].iloc[0] == "grade":
        return [(colour, name) for name, colour in COLOURS.items()]
    return [(drawing.MODEL, "the commonest answer, then the others, paler"), (COLOURS[UNANSWERED], UNANSWERED)]


def _row(contents: ReportContents, model: str, subject: str, part: pd.DataFrame, metrics: list[str]) -> ConsistencyRow:
    first: Any = part.loc["agreement"]
    sampling = contents.sampling.get(model, "")
    cells = tuple(_cell(part.loc[metric]) for metric in metrics)
    if not subject:
        where = f"all {int(first['n_inputs'])} slices"
        return ConsistencyRow(model, sampling, where, True, int(first["n_asked"]), "", cells)
    assert contents.consistency is not None
    answers = contents.consistency.answers
    own = answers[(answers["model"] == model) & (answers["subject"] == subject)]
    return ConsistencyRow(model, sampling, _where(own), False, int(first["n_asked"]), _said(own), cells)


def _cell(entry: Any) -> tuple[str, str]:
    if pd.isna(entry["value"]):
        return "not defined", str(entry["interval"]).removeprefix("undefined: ")
    ends = numbers.interval(float(entry["low"]), float(entry["high"]), entry["unit"])
    return numbers.number(float(entry["value"]), entry["unit"]), ends or str(entry["interval"]).removeprefix("none: ")


def _where(own: pd.DataFrame) -> str:
    """`BraTS_001 (HGG), axial 31`."""
    first = own.iloc[0]
    grade = "" if pd.isna(first["grade"]) else f" ({GRADE_NAMES[int(first['grade'])]})"
    return f"{first['subject']}{grade}, {first['plane']} {int(first['index'])}"


def _said(own: pd.DataFrame) -> str:
    """`77 HGG, 18 LGG`; of many different answers the first few."""
    said = [f"{count} {drawing.shortened(text)}" for text, count in zip(own["answer"], own["count"], strict=True)]
    rest = len(said) - SHOWN_ANSWERS
    return ", ".join(said[:SHOWN_ANSWERS]) + (f" and {rest} more" if rest > 0 else "")


def _paint(answers: pd.DataFrame, figure: Figure) -> None:
    inputs = [own for _, own in answers.groupby("subject", sort=True)]
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
            if text not in COLOURS:
                strength, others = max(0.8**others, 0.15), others + 1
            colour = COLOURS.get(text, drawing.MODEL)
            bars.barh(height, share, left=left, height=0.62, color=colour, alpha=strength, edgecolor="white")
            left += share
    bars.set_yticks(range(len(inputs)), [_where(own) for own in inputs], color=drawing.INK)
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
