"""The GLDR plot: for every patient the share of HGG among a model's LGG and HGG slice votes."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from pandas.api.typing import NAType

from gliobench.cohort.subject import HGG
from gliobench.report import drawing


@dataclass(frozen=True)
class Outcome:
    """How a patient was classified, with colour and shape (redundant on purpose)."""

    name: str
    colour: str
    marker: str
    symbol: str


OUTCOMES = (
    Outcome("true positive (HGG called HGG)", drawing.TRUE_POSITIVE, "o", "●"),
    Outcome("false negative (HGG called LGG)", drawing.FALSE_NEGATIVE, "v", "▼"),
    Outcome("true negative (LGG called LGG)", drawing.TRUE_NEGATIVE, "s", "■"),
    Outcome("false positive (LGG called HGG)", drawing.FALSE_POSITIVE, "^", "▲"),
    Outcome("no call (no usable vote, or neither grade wins)", drawing.MUTED, "x", "×"),
)


def draw_votes(votes: pd.DataFrame, models: list[str]) -> list[tuple[str, str, str, Markup]]:
    """(model, plane, how the grades were decided, drawing) for every model that was asked slice by slice, in the order
    of `models`.

    Follows Figures 15 to 17 of the reference study: one point per patient, dashed line at 0.5, coloured by true and
    false positive and negative. Patients stand by their true grade, and by GLDR within it.
    """
    votes = votes[(votes["plane"] != "volume") & votes["grade"].notna()]
    drawings: list[tuple[str, str, str, Markup]] = []
    for model in models:
        for plane, rows in votes[votes["model"] == model].groupby("plane", sort=True):
            name = f"gldr-{len(drawings)}"
            label = f"GLDR of every patient, {model}, {plane}"
            how = ", ".join(dict.fromkeys(rows["aggregate"]))
            drawings.append((model, str(plane), how, drawing.draw(name, label, (5.0, 2.7), partial(_paint, rows))))
    return drawings


def _outcome(truth: int, predicted: int | NAType | None) -> Outcome:
    if predicted is None or isinstance(predicted, NAType):
        return OUTCOMES[4]
    right = predicted == truth
    return OUTCOMES[(0 if right else 1) if truth == HGG else (2 if right else 3)]


def _paint(rows: pd.DataFrame, figure: Figure) -> None:
    rows = rows.assign(height=rows["gldr"].fillna(-0.08)).sort_values(["grade", "height", "subject"], kind="stable")
    low_grade = int((rows["grade"] != HGG).sum())
    axes = figure.subplots()
    axes.axhline(0.5, color=drawing.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    axes.axvline(low_grade - 0.5, color=drawing.MUTED, linewidth=0.8, zorder=1)
    outcomes = [
        _outcome(int(truth), called)
        for truth, called in zip(rows["grade"], rows["predicted"].astype("Int64"), strict=True)
    ]
    for outcome in OUTCOMES:
        places = [place for place, found in enumerate(outcomes) if found is outcome]
        heights = [rows["height"].iloc[place] for place in places]
        axes.scatter(places, heights, s=34, c=outcome.colour, marker=outcome.marker, zorder=3, clip_on=False)
    axes.set(ylim=(-0.12, 1.04), xlim=(-0.7, len(rows) - 0.3), ylabel="GLDR", yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False, axis="x")
    high_grade = len(rows) - low_grade
    middles, names = [], []
    for start, count, name in ((0, low_grade, "LGG"), (low_grade, high_grade, "HGG")):
        if count:
            middles.append(start + (count - 1) / 2)
            names.append(f"true {name} ({count})")
    axes.set_xticks(middles, names)
