"""Learning curves: a drawing of each first figure, where curves cross, and the power laws, in words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from gliobench.report import drawing, metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.scoring.learning_curve import AHEAD, NEVER
from gliobench.tasks.registry import task_words

WORDS = (
    "Each model was trained on subsets of the training patients, smaller ones part of larger ones, stratified by "
    "class, and answered about the same test patients; the last size is all training patients. Validation patients, "
    "who choose the epoch or calibrate, are not counted among them. Each value is the mean over repeats, which are "
    "other draws of the training patients, with a 95 % interval over test patients and repeats. Dashed: models that "
    "learn from none of these patients. Dotted: the fitted power law. Crossings lie on straight lines between the "
    "sizes."
)
VOLUME = "volume"


@dataclass(frozen=True)
class LearningRow:
    """A model with its figure at each size, as text; empty where it has none."""

    model: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class LearningSection:
    """One figure of one task. `sizes`: the heads of the table's columns; `general`: models beside it, in words."""

    task: str
    metric: str
    drawing: Markup
    crossings: tuple[str, ...]
    laws: tuple[str, ...]
    sizes: tuple[str, ...]
    rows: tuple[LearningRow, ...]


def learning_sections(contents: ReportContents) -> list[LearningSection]:
    """A section for each figure; none where there are no learning curves."""
    if contents.learning is None:
        return []
    figures = contents.learning.figures
    keys = figures[["task", "metric"]].drop_duplicates().itertuples(index=False)
    return [_section(contents, str(task), str(metric), place) for place, (task, metric) in enumerate(keys)]


def _section(contents: ReportContents, task: str, metric: str, place: int) -> LearningSection:
    assert contents.learning is not None
    figures, laws, crossings = (
        table[(table["task"] == task) & (table["metric"] == metric)] for table in vars(contents.learning).values()
    )
    unit, title = metrics.unit(metric), metrics.title(metric)
    sizes = sorted(figures["patients"].dropna().unique())
    words = task_words(task, contents.problem)
    label = f"Learning curves: {words}, {title}"
    return LearningSection(
        words,
        f"{title}, {unit}" if unit else title,
        drawing.draw(f"learning-{place}", label, (5.6, 3.1), partial(_paint, figures, laws, title, unit)),
        tuple(crossing_words(row) for _, row in crossings.iterrows()),
        tuple(law_words(row, unit) for _, row in laws.iterrows()),
        tuple(f"{size:.0f}" for size in sizes),
        tuple(_rows(figures, sizes, unit)),
    )


def named(model: str, plane: str) -> str:
    """A model, with its plane where it is asked slice by slice."""
    return model if plane == VOLUME else f"{model} ({plane})"


def _rows(figures: pd.DataFrame, sizes: list[float], unit: str) -> Iterator[LearningRow]:
    for (model, plane), own in figures.groupby(["model", "plane"], sort=False):
        at = {row.patients: row for row in own.itertuples()}
        cells = [_figure(at.get(size), unit) for size in sizes]
        if not own["learns"].any():
            cells = ["" for _ in sizes[1:]] + [_figure(next(own.itertuples()), unit)]
        yield LearningRow(named(str(model), str(plane)), tuple(cells))


def _figure(row: object, unit: str) -> str:
    if row is None:
        return ""
    value, low, high = (getattr(row, name) for name in ("value", "low", "high"))
    return "not defined" if math.isnan(value) else _with_interval(value, low, high, unit)


def _with_interval(value: float, low: float, high: float, unit: str) -> str:
    inside = numbers.interval(low, high, unit)
    return f"{numbers.number(value, unit)} ({inside})" if inside else numbers.number(value, unit)


def crossing_words(row: pd.Series) -> str:
    """From how many patients on one model is ahead of another, as a sentence."""
    model, other = named(row["model"], row["plane"]), named(row["other"], row["other_plane"])
    smallest, largest = row["smallest"], row["largest"]
    sizes = f"{smallest:.0f} to {largest:.0f} patients"
    if math.isnan(row["value"]):
        return f"{model} and {other}: no crossing is defined, because a size has no value."
    if row["value"] == NEVER:
        return (
            f"{model} does not pass {other}: not seen within these sizes ({sizes}); "
            f"in {numbers.percent(row['share'])} of the resamples it does."
        )
    inside = _crossed(row["low"], row["high"], smallest, largest)
    if row["value"] == AHEAD:
        return f"{model} is ahead of {other} at every size ({sizes}; 95 % interval of the crossing: {inside})."
    return f"{model} passes {other} at {row['value']:.0f} patients (95 % interval {inside})."


def _crossed(low: float, high: float, smallest: float, largest: float) -> str:
    ends = {AHEAD: f"below {smallest:.0f}", NEVER: f"not within {largest:.0f}"}
    words = [ends.get(end, f"{end:.0f}") for end in (low, high)]
    return words[0] if low == high else " to ".join(words)


def law_words(row: pd.Series, unit: str) -> str:
    """A fitted power law as a sentence."""
    model = named(row["model"], row["plane"])
    if row["fault"]:
        return f"{model}: no power law was fitted: {row['fault']}."
    limit, exponent, doubled = (
        _with_interval(row[f"{name}_value"], row[f"{name}_low"], row[f"{name}_high"], kind)
        for name, kind in (("limit", unit), ("exponent", ""), ("doubled", unit))
    )
    failed = f"; none in {numbers.percent(row['failed'])} of the resamples" if row["failed"] else ""
    return (
        f"{model}: power law with exponent {exponent} towards {limit}; at {row['twice']:.0f} patients, twice as "
        f"many as here, it gives {doubled}{failed}."
    )


def _paint(figures: pd.DataFrame, laws: pd.DataFrame, title: str, unit: str, figure: Figure) -> None:
    axes: Axes = figure.subplots()
    sizes = sorted(figures["patients"].dropna().unique())
    for place, ((model, plane), own) in enumerate(figures.groupby(["model", "plane"], sort=False)):
        colour, name = drawing.CLASSES[place % len(drawing.CLASSES)], drawing.shortened(named(str(model), str(plane)))
        if not own["learns"].any():
            axes.axhline(own["value"].iloc[0], color=colour, linestyle="--", linewidth=1.2, label=name)
            continue
        axes.fill_between(own["patients"], own["low"], own["high"], color=colour, alpha=0.13, linewidth=0)
        axes.plot(own["patients"], own["value"], color=colour, linewidth=1.4, marker="o", markersize=3, label=name)
        _law(axes, laws[(laws["model"] == model) & (laws["plane"] == plane)], own, colour)
    axes.set(xscale="log", xlabel="training patients", ylabel=f"{title}, {unit}" if unit else title)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axes.legend(frameon=False, fontsize=7.5)


def _law(axes: Axes, laws: pd.DataFrame, own: pd.DataFrame, colour: str) -> None:
    if len(laws) and not laws["fault"].iloc[0]:
        axes.plot(own["patients"], own["law"], color=colour, linewidth=1, linestyle=":")
