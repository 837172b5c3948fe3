"""Decision curves: each model's net benefit against acting on everybody and on nobody."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from gliobench.report import drawing, numbers
from gliobench.report.contents import ReportContents
from gliobench.tasks.grade import GRADE

SHOWN = (0.1, 0.25, 0.5, 0.75, 0.9)  # thresholds of the table
ROUNDING = 1e-9
BELOW, ABOVE = 0.35, 1.15  # how far below and above 0 a drawing reaches, in prevalences


@dataclass(frozen=True)
class DecisionRow:
    """One model in words. `useful`: the thresholds at which its net benefit is above both; `cells`: at `SHOWN`."""

    model: str
    plane: str
    n: int
    useful: str
    cells: tuple[str, ...]


def decision_words(contents: ReportContents) -> str:
    """How to read the curves, and who is left out."""
    problem, left = contents.problem, _without_probabilities(contents)
    name = problem.classes[problem.positive_class] if problem.classes else ""
    sentence = f" Left out, for they give no probability: {numbers.listed(left)}." if left else ""
    return (
        f"Net benefit (Vickers and Elkin 2006) of acting on every patient whose probability of {name} is at least the "
        "threshold: true positives less false positives times threshold / (1 - threshold), per patient. A threshold "
        f"says how many patients without {name} one is ready to act on for one with it: at 0.25 three. Dashed: acting "
        "on everybody; the line at 0: on nobody. A model is of use at thresholds at which it is above both; "
        "a probability is taken at its word, so that a model that is not calibrated loses. Band: 95 % interval over "
        f"patients, threshold by threshold; nothing is tested.{sentence}"
    )


def decision_rows(contents: ReportContents, models: list[str]) -> list[DecisionRow]:
    """One row per model and plane, in the order of `models`; trivial baselines among them."""
    return [_row(model, plane, rows) for model, plane, rows in _curves(contents, models)]


def draw_decision(contents: ReportContents, models: list[str]) -> list[tuple[str, str, Markup]]:
    """(model, plane, drawing) in the order of `models`, without trivial baselines, whose place acting on everybody and
    on nobody takes."""
    drawings: list[tuple[str, str, Markup]] = []
    for model, plane, rows in _curves(contents, models):
        if model not in contents.baselines:
            label = f"Decision curve of {model}, {plane}"
            drawn = drawing.draw(f"decision-{len(drawings)}", label, (3.2, 2.7), partial(_paint, rows))
            drawings.append((model, plane, drawn))
    return drawings


def _curves(contents: ReportContents, models: list[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    if contents.decision is not None:
        for model in models:
            own = contents.decision[contents.decision["model"] == model]
            for plane, rows in own.groupby("plane", sort=False):
                yield model, str(plane), rows


def _without_probabilities(contents: ReportContents) -> list[str]:
    table = contents.summary[contents.summary["task"] == GRADE.name]
    known = set() if contents.decision is None else set(contents.decision["model"])
    return [name for name in dict.fromkeys(table["model"]) if name not in known | contents.references]


def _row(model: str, plane: str, rows: pd.DataFrame) -> DecisionRow:
    shown = rows[rows["threshold"].round(2).isin(SHOWN)]
    cells = tuple(_cell(row) for _, row in shown.iterrows())
    return DecisionRow(model, plane, int(rows["n_subjects"].iloc[0]), _useful(rows), cells)


def _cell(row: pd.Series) -> str:
    value, low, high = (float(np.round(row[name], 2)) + 0.0 for name in ("net_benefit", "low", "high"))  # no -0.00
    ends = numbers.interval(low, high, "")
    return f"{value:.2f} ({ends})" if ends else f"{value:.2f}"


def _useful(rows: pd.DataFrame) -> str:
    """`0.12 to 0.35, 0.60`: runs of thresholds."""
    others = rows[["treat_all", "treat_none"]].max(axis=1)
    above = (rows["net_benefit"] > others + ROUNDING).to_numpy()
    starts = np.flatnonzero(above & ~np.r_[False, above[:-1]])
    ends = np.flatnonzero(above & ~np.r_[above[1:], False])
    thresholds = rows["threshold"].to_numpy()
    runs = [(f"{thresholds[start]:.2f}", f"{thresholds[end]:.2f}") for start, end in zip(starts, ends, strict=True)]
    return ", ".join(low if low == high else f"{low} to {high}" for low, high in runs) or "nowhere"


def _paint(rows: pd.DataFrame, figure: Figure) -> None:
    axes, at = figure.subplots(), rows["threshold"]
    axes.fill_between(at, rows["low"], rows["high"], color=drawing.MODEL, alpha=0.15, linewidth=0)
    axes.plot(at, rows["treat_all"], color=drawing.INK, linewidth=0.9, linestyle=(0, (5, 3)))
    axes.plot(at, rows["treat_none"], color=drawing.INK, linewidth=0.9)
    axes.plot(at, rows["net_benefit"], color=drawing.MODEL, linewidth=1.6)
    reach = max(float(rows["treat_all"].iloc[0]), 0.05)  # about the prevalence
    axes.set(xlabel="threshold probability", ylabel="net benefit", xlim=(0, 1), ylim=(-BELOW * reach, ABOVE * reach))
