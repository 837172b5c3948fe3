"""The reliability diagram: predicted probability of HGG against observed frequency."""

from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from gliobench.cohort.subject import HGG
from gliobench.report import drawing
from gliobench.report.contents import ReportContents
from gliobench.scoring.calibration import reliability


def draw_reliability(contents: ReportContents, models: list[str]) -> list[tuple[str, str, Markup]]:
    """(model, plane, drawing) for every model whose probabilities were scored, in the order of `models`; the plane is
    that of the slices they were gathered from, "volume" where the model sees the whole patient."""
    scored = contents.summary[contents.summary["metric"] == "brier"]
    votes = contents.votes[contents.votes["grade"].notna()]
    drawings: list[tuple[str, str, Markup]] = []
    for model in models:
        for plane in scored.loc[scored["model"] == model, "plane"]:
            rows = votes[(votes["model"] == model) & (votes["plane"] == plane)]
            colour = drawing.BASELINE if model in contents.baselines else drawing.MODEL
            name, label = f"reliability-{len(drawings)}", f"Reliability of the probabilities of {model}, {plane}"
            paint = partial(_paint, rows, colour)
            drawings.append((model, str(plane), drawing.draw(name, label, (3.2, 2.9), paint)))
    return drawings


def _paint(rows: pd.DataFrame, colour: str, figure: Figure) -> None:
    truth = (rows["grade"] == HGG).to_numpy(dtype=np.bool_)
    whose = tuple(map(str, rows["patient"])) if "patient" in rows else ()  # an earlier version's tables lack it
    bins = reliability(truth, rows["score"].to_numpy(dtype=np.float64), whose)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=drawing.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    for one in bins:
        axes.plot([one.mean] * 2, [one.share.low, one.share.high], color=colour, linewidth=1.4, zorder=2)
        axes.annotate(str(one.n), (one.mean, one.share.value), (5, 3), textcoords="offset points", fontsize=7.5)
    means, shares = [one.mean for one in bins], [one.share.value for one in bins]
    axes.plot(means, shares, color=colour, linewidth=0.8, marker="o", markersize=4.5, zorder=3, clip_on=False)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(-0.03, 1.05), ylim=(-0.03, 1.05), xticks=ticks, yticks=ticks)
    axes.set(xlabel="predicted probability of HGG", ylabel="observed proportion of HGG")
