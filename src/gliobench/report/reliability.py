"""The reliability diagram: predicted probability of a class against observed frequency."""

from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gliobench.cohort.problem import Problem
from gliobench.report import drawing
from gliobench.report.contents import ReportContents
from gliobench.scoring.calibration import reliability

ACROSS = 2  # panels beside each other


def reliability_words(problem: Problem) -> str:
    """What the drawings show; empty where there are no classes."""
    if not problem.classes:
        return ""
    what = it = one = problem.classes[problem.positive_class]
    last = ""
    if problem.several:
        what, it, one = f"each {problem.asked}", "it", f"the {problem.asked}"
        last = f". The last drawing is of the most probable {problem.asked}, and how often it is right"
    return (
        f"Patients in ten bins by the predicted probability of {what}: mean probability against the observed "
        f"proportion of {it}, with its 95 % interval (Agresti-Coull; none if patients have several scans, which "
        f"together weigh as one patient) and the number of patients or scans{last}. On the dashed line a "
        f"model is calibrated; above it {one} is more frequent than predicted."
    )


def draw_reliability(contents: ReportContents, models: list[str]) -> list[tuple[str, str, Markup]]:
    """(model, plane, drawing) for every model whose probabilities were scored, in the order of `models`; the plane is
    that of the slices they were gathered from, "volume" where the model sees the whole patient. With more than two
    classes a panel for each, and one of the most probable class."""
    scored = contents.summary[contents.summary["metric"] == "brier"]
    votes, problem = contents.votes[contents.votes["grade"].notna()], contents.problem
    count = problem.none + 1 if problem.several else 1
    size = (2.5 * ACROSS, 2.4 * -(-count // ACROSS)) if problem.several else (3.2, 2.9)
    drawings: list[tuple[str, str, Markup]] = []
    for model in models:
        for plane in scored.loc[scored["model"] == model, "plane"]:
            rows = votes[(votes["model"] == model) & (votes["plane"] == plane)]
            colour = drawing.BASELINE if model in contents.baselines else drawing.MODEL
            name, label = f"reliability-{len(drawings)}", f"Reliability of the probabilities of {model}, {plane}"
            paint = partial(_paint, rows, problem, colour)
            drawings.append((model, str(plane), drawing.draw(name, label, size, paint)))
    return drawings


def _paint(rows: pd.DataFrame, problem: Problem, colour: str, figure: Figure) -> None:
    truth = rows["grade"].to_numpy(dtype=np.intp)
    whose = tuple(map(str, rows["patient"])) if "patient" in rows else ()  # an earlier version's tables lack it
    if not problem.several:
        positive = problem.positive_class
        score = rows["score"].to_numpy(dtype=np.float64)
        panel, name = figure.subplots(), problem.classes[positive]
        _panel(panel, truth == positive, score, whose, colour)
        panel.set(xlabel=f"predicted probability of {name}", ylabel=f"observed proportion of {name}")
        return
    scores = rows[[f"score_{column}" for column in problem.class_columns]].to_numpy(dtype=np.float64)
    panels = figure.subplots(-(-(problem.none + 1) // ACROSS), ACROSS, squeeze=False).ravel()
    shown = [(name, truth == number, scores[:, number]) for number, name in enumerate(problem.classes)]
    shown.append((f"the most probable {problem.asked}", scores.argmax(axis=1) == truth, scores.max(axis=1)))
    for panel, (name, own, score) in zip(panels, shown, strict=False):
        _panel(panel, own, score, whose, colour)
        panel.set_title(name, fontsize=8.5)
        panel.set(xlabel="predicted probability", ylabel="observed proportion")
    for panel in panels[len(shown) :]:
        panel.set_axis_off()


def _panel(
    axes: Axes,
    truth: NDArray[np.bool_],
    probability: NDArray[np.float64],
    whose: tuple[str, ...],
    colour: str,
) -> None:
    bins = reliability(truth, probability, whose)
    axes.plot([0, 1], [0, 1], color=drawing.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    for one in bins:
        axes.plot([one.mean] * 2, [one.share.low, one.share.high], color=colour, linewidth=1.4, zorder=2)
        axes.annotate(str(one.n), (one.mean, one.share.value), (5, 3), textcoords="offset points", fontsize=7.5)
    means, shares = [one.mean for one in bins], [one.share.value for one in bins]
    axes.plot(means, shares, color=colour, linewidth=0.8, marker="o", markersize=4.5, zorder=3, clip_on=False)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(-0.03, 1.05), ylim=(-0.03, 1.05), xticks=ticks, yticks=ticks)
