"""Training curves: loss on training and validation patients beside accuracy or Dice, or beside the metric that chose
the step."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliobench.report import drawing

TRAINING, VALIDATION = (drawing.MODEL, "-"), (drawing.FALSE_POSITIVE, "--")
SCORES = {"accuracy": "accuracy", "dice": "Dice"}  # by the end of a column's name


def draw_curves(
    curves: Mapping[str, pd.DataFrame], losses: Mapping[str, pd.DataFrame]
) -> list[tuple[str, str, Markup]]:
    """(model, length of training, drawing) of every trained model. `losses`: of every step, if they were kept: drawn
    instead of their means between evaluations."""
    drawings: list[tuple[str, str, Markup]] = []
    for model in sorted(curves):
        table = curves[model]
        if not table.empty:
            label = f"Training curves of {model}"
            paint = partial(_paint, table, losses.get(model, table))
            figure = drawing.draw(f"curve-{len(drawings)}", label, (5.0, 2.3), paint)
            drawings.append((model, _length(table), figure))
    return drawings


def _length(table: pd.DataFrame) -> str:
    """A network is evaluated every epoch, a language model every so many steps: the first column says which."""
    return f"{table['step'].iloc[-1]} steps" if "step" in table else f"{len(table)} epochs"


def _paint(table: pd.DataFrame, steps: pd.DataFrame, figure: Figure) -> None:
    losses, beside = figure.subplots(1, 2)
    when = "step" if "step" in table else "epoch"
    _line(losses, steps, when, "train_loss", TRAINING, "training")
    _line(losses, table, when, "validation_loss", VALIDATION, "validation")
    losses.set(xlabel=when, title="loss")
    score = next((name for name in SCORES if f"train_{name}" in table), None)
    if score is None:
        _line(beside, table, when, "validation_metric", (drawing.FALSE_POSITIVE, "-"), "")
    else:
        _line(beside, table, when, f"train_{score}", TRAINING, "training")
        _line(beside, table, when, f"validation_{score}", VALIDATION, "validation")
        beside.set(ylim=(-0.03, 1.03))
        beside.legend(frameon=False, fontsize=7.5)
    beside.set(xlabel=when, title="validation metric" if score is None else SCORES[score])
    losses.legend(frameon=False, fontsize=7.5)
    for axes in (losses, beside):
        axes.title.set_size(8.5)
        axes.xaxis.get_major_locator().set_params(integer=True)


def _line(axes: Axes, table: pd.DataFrame, when: str, column: str, look: tuple[str, str], name: str) -> None:
    colour, style = look
    marker = "o" if len(table) < 30 else ""
    axes.plot(
        table[when],
        table[column],
        color=colour,
        linestyle=style,
        linewidth=1.4,
        label=name,
        marker=marker,
        markersize=2.6,
    )
