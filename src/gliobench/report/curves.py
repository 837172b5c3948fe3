"""Training curves: loss on training and validation patients, and the metric that chose the epoch or step."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from gliobench.report import drawing


def draw_curves(curves: Mapping[str, pd.DataFrame]) -> list[tuple[str, str, Markup]]:
    """(model, how long, drawing) of everything that has learned something."""
    drawings: list[tuple[str, str, Markup]] = []
    for model in sorted(curves):
        table = curves[model]
        if not table.empty:
            label = f"Training curves of {model}"
            figure = drawing.draw(f"curve-{len(drawings)}", label, (5.0, 2.3), partial(_paint, table))
            drawings.append((model, _length(table), figure))
    return drawings


def _length(table: pd.DataFrame) -> str:
    """A network is judged epoch by epoch, a language model after a number of steps: the first column says which."""
    return f"{table['step'].iloc[-1]} steps" if "step" in table else f"{len(table)} epochs"


def _paint(table: pd.DataFrame, figure: Figure) -> None:
    losses, metric = figure.subplots(1, 2)
    when = "step" if "step" in table else "epoch"
    marker = {"marker": "o", "markersize": 2.6} if len(table) < 30 else {}
    for column, colour, line, name in (
        ("train_loss", drawing.MODEL, "-", "training"),
        ("validation_loss", drawing.FALSE_POSITIVE, "--", "validation"),
    ):
        losses.plot(table[when], table[column], color=colour, linestyle=line, linewidth=1.4, label=name, **marker)
    losses.set(xlabel=when, title="loss")
    losses.legend(frameon=False, fontsize=7.5)
    metric.plot(table[when], table["validation_metric"], color=drawing.FALSE_POSITIVE, linewidth=1.4, **marker)
    metric.set(xlabel=when, title="validation metric")
    for axes in (losses, metric):
        axes.title.set_size(8.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
