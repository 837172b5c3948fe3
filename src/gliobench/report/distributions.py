"""Every metric by patient: a box and all points, one line per model."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gliobench.report import drawing, metrics
from gliobench.report.contents import ReportContents
from gliobench.tasks.registry import task_words

BOX_HEIGHT = 0.56  # where lines are 1 apart


@dataclass(frozen=True)
class Distribution:
    """One metric of one task; `primary` where it stands in the first table."""

    task: str
    title: str
    primary: bool
    n: int
    drawing: Markup


def draw_distributions(contents: ReportContents, models: list[str]) -> list[Distribution]:
    """All metrics with a value per patient, in the order of the tables; lines in the order of `models`."""
    drawings: list[Distribution] = []
    table = contents.per_subject[contents.per_subject["value"].notna()]
    for task in metrics.tasks_of(table):
        called = task_words(task, contents.problem)
        for metric in metrics.metrics_of(table, task):
            rows = metrics.nearest(table, task, metric)
            name = f"distribution-{len(drawings)}"
            lines = _lines(rows, models)
            label = f"{called}: {metrics.title(metric)} of every patient"
            paint = partial(_paint, lines, metric, contents)
            figure = drawing.draw(name, label, (5.0, 0.75 + 0.32 * len(lines)), paint)
            primary = metric in metrics.primary(task)
            n = int(rows["subject"].nunique())
            drawings.append(Distribution(called, metrics.title(metric), primary, n, figure))
    return drawings


def _lines(rows: pd.DataFrame, models: list[str]) -> list[tuple[str, str, NDArray[np.float64]]]:
    """(model, label, values) of every line, the first model first."""
    several = len(set(rows["plane"]) - {"volume"}) > 1
    lines = []
    for model in models:
        for (plane, source), part in rows[rows["model"] == model].groupby(["plane", "source"], sort=True):
            words = [drawing.shortened(model)]
            words += [str(plane)] if several and plane != "volume" else []
            words += [] if source == part["task"].iloc[0] else [f"from {source}"]
            values = part.sort_values("subject")["value"].to_numpy(dtype=np.float64)
            lines.append((model, ", ".join(words), values))
    return lines


def _paint(
    lines: list[tuple[str, str, NDArray[np.float64]]],
    metric: str,
    contents: ReportContents,
    figure: Figure,
) -> None:
    colours = dict.fromkeys(contents.baselines, drawing.BASELINE) | dict.fromkeys(contents.references, drawing.INK)
    axes = figure.subplots()
    jitter = np.random.default_rng(0)
    values = [values for *_, values in lines]
    inks = [colours.get(model, drawing.MODEL) for model, *_ in lines]
    spread = [height + jitter.uniform(-0.2, 0.2, len(one)) for height, one in enumerate(values)]
    dots = [ink for ink, one in zip(inks, values, strict=True) for _ in one]
    axes.scatter(
        np.concatenate(values), np.concatenate(spread), s=11, c=dots, alpha=0.55, linewidths=0, zorder=2, clip_on=False
    )
    _draw_boxes(axes, values, inks)
    axes.set_yticks(range(len(lines)), [label for _, label, _ in lines], color=drawing.INK)
    axes.set_ylim(len(lines) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    lower, unit = metrics.lower_is_better(metric), metrics.unit(metric)
    if lower or unit:
        axes.set_xlim(left=0)
    else:
        axes.set_xlim(-0.01, 1.01)
    axes.set_xlabel(
        f"{metrics.title(metric)}{f' ({unit})' if unit else ''}, {'lower' if lower else 'higher'} is better"
    )


def _draw_boxes(axes: Axes, values: list[NDArray[np.float64]], inks: list[str]) -> None:
    """Horizontal boxes with whiskers (Tukey's), one per line, in one artist: `Axes.boxplot` makes six per box, and they
    took half of a report's time."""
    boxes: list[list[tuple[float, float]]] = []
    medians: list[list[tuple[float, float]]] = []
    for line, box in enumerate(boxplot_stats(values)):
        height = float(line)
        (q1, q3), (start, end) = (box["q1"], box["q3"]), (box["whislo"], box["whishi"])
        top, bottom = height - BOX_HEIGHT / 2, height + BOX_HEIGHT / 2
        corners = [(q1, top), (q3, top), (q3, bottom), (q1, bottom), (q1, top)]
        whiskers = [[(start, height), (q1, height)], [(q3, height), (end, height)]]
        caps = [[(x, height - BOX_HEIGHT / 4), (x, height + BOX_HEIGHT / 4)] for x in (start, end)]
        boxes += [corners, *whiskers, *caps]
        medians.append([(box["med"], top), (box["med"], bottom)])
    five = [ink for ink in inks for _ in range(5)]  # outline, two whiskers, two caps
    axes.add_collection(LineCollection(boxes, colors=five, linewidths=1.0, zorder=3))
    axes.add_collection(LineCollection(medians, colors=drawing.INK, linewidths=1.6, zorder=3))
