"""The slice votes of every patient: of two classes the share of the positive one, of more the shares of all."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.api.typing import NAType

from gliobench.cohort.problem import Problem
from gliobench.report import drawing
from gliobench.report.contents import ReportContents
from gliobench.scoring.consistency import UNANSWERED


@dataclass(frozen=True)
class Outcome:
    """How a patient was classified, or what a piece of a bar is, with colour and shape (redundant on purpose)."""

    name: str
    colour: str
    marker: str
    symbol: str


def outcomes(problem: Problem) -> tuple[Outcome, ...]:
    """The legend; empty where there are no classes."""
    if not problem.classes:
        return ()
    if problem.several:
        named = (*zip(problem.classes, drawing.CLASSES, strict=False), (problem.no_target, drawing.NO_TARGET))
        pieces = (Outcome(name, colour, "s", "■") for name, colour in (*named, (UNANSWERED, drawing.UNANSWERED)))
        return (*pieces, Outcome("called wrongly, or nothing called", drawing.INK, "x", "×"))
    yes, no = problem.classes[problem.positive_class], problem.classes[1 - problem.positive_class]
    return (
        Outcome(f"true positive ({yes} called {yes})", drawing.TRUE_POSITIVE, "o", "●"),
        Outcome(f"false negative ({yes} called {no})", drawing.FALSE_NEGATIVE, "v", "▼"),
        Outcome(f"true negative ({no} called {no})", drawing.TRUE_NEGATIVE, "s", "■"),
        Outcome(f"false positive ({no} called {yes})", drawing.FALSE_POSITIVE, "^", "▲"),
        Outcome(f"no call (no usable vote, or neither {problem.asked} wins)", drawing.MUTED, "x", "×"),
    )


def votes_words(problem: Problem) -> str:
    """What the drawings show; empty where there are no classes."""
    if not problem.classes:
        return ""
    final = (
        f"a method named beside a model replaces the majority vote, and its {problem.classes_word} need not follow the "
    )
    if problem.several:
        return (
            f"One bar per patient: the shares of its slice votes. Patients stand by their true {problem.asked}. A "
            f"cross marks a patient whose final {problem.asked} is wrong, or who has none: {final}votes."
        )
    yes, no = problem.classes[problem.positive_class], problem.classes[1 - problem.positive_class]
    return (
        f"{_share(problem)} is the proportion of {yes} among a patient's {' and '.join(problem.classes)} slice votes. "
        f"Below the dashed line the majority is {no}, above it {yes}. An accurate model puts true {no} low and true "
        f"{yes} high. Colours follow the patient's final {problem.asked}: {final}line."
    )


def _share(problem: Problem) -> str:
    """The name of the share of two classes' votes; that of gliomas is the reference study's."""
    return "GLDR" if problem.reading == "glioma" else f"Share of {problem.classes[problem.positive_class]}"


def draw_votes(contents: ReportContents, models: list[str]) -> list[tuple[str, str, str, Markup]]:
    """(model, plane, how the classes were decided, drawing) for every model that was asked slice by slice, in the order
    of `models`.

    Of two classes, as in Figures 15 to 17 of the reference study: one point per patient, dashed line at 0.5, coloured
    by true and false positive and negative. Patients stand by their true class, and by the share within it. Of more,
    one bar per patient.
    """
    votes, problem = contents.votes, contents.problem
    votes = votes[(votes["plane"] != "volume") & votes["grade"].notna()]
    share = "Slice votes" if problem.several else _share(problem)
    paint = _paint_bars if problem.several else _paint_points
    drawings: list[tuple[str, str, str, Markup]] = []
    for model in models:
        for plane, rows in votes[votes["model"] == model].groupby("plane", sort=True):
            name = f"gldr-{len(drawings)}"
            label = f"{share} of every patient, {model}, {plane}"
            how = ", ".join(dict.fromkeys(rows["aggregate"]))
            drawn = drawing.draw(name, label, (5.0, 2.7), partial(paint, rows, problem))
            drawings.append((model, str(plane), how, drawn))
    return drawings


def _outcome(positive: bool, right: bool | NAType, known: tuple[Outcome, ...]) -> Outcome:
    if isinstance(right, NAType):
        return known[4]
    return known[(0 if right else 1) if positive else (2 if right else 3)]


def _paint_points(rows: pd.DataFrame, problem: Problem, figure: Figure) -> None:
    positive = problem.positive_class
    rows = rows.assign(height=rows["gldr"].fillna(-0.08), positive=rows["grade"] == positive)
    rows = rows.sort_values(["positive", "height", "subject"], kind="stable")
    axes = figure.subplots()
    axes.axhline(0.5, color=drawing.INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=1)
    axes.axvline(int((~rows["positive"]).sum()) - 0.5, color=drawing.MUTED, linewidth=0.8, zorder=1)
    known = outcomes(problem)
    right = rows["predicted"].astype("Int64") == rows["grade"].astype("Int64")
    found = [_outcome(*one, known) for one in zip(rows["positive"], right, strict=True)]
    for outcome in known:
        places = [place for place, one in enumerate(found) if one is outcome]
        heights = [rows["height"].iloc[place] for place in places]
        axes.scatter(places, heights, s=34, c=outcome.colour, marker=outcome.marker, zorder=3, clip_on=False)
    axes.set(ylim=(-0.12, 1.04), xlim=(-0.7, len(rows) - 0.3), ylabel=_share(problem), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False, axis="x")
    _name_classes(axes, rows, problem, [1 - positive, positive])


def _paint_bars(rows: pd.DataFrame, problem: Problem, figure: Figure) -> None:
    pieces = (*problem.class_columns, problem.none_column, "unanswered")
    shares = rows[[*pieces]].div(rows[[*pieces]].sum(axis=1), axis=0)
    own = shares.to_numpy()[np.arange(len(rows)), rows["grade"].to_numpy(dtype=np.intp)]
    rows = rows.assign(own=own).sort_values(["grade", "own", "subject"], kind="stable")
    shares, places = shares.loc[rows.index], range(len(rows))
    axes, below = figure.subplots(), pd.Series(0.0, index=rows.index)
    *known, wrong = outcomes(problem)
    for piece, outcome in zip(pieces, known, strict=True):
        axes.bar(places, shares[piece], bottom=below, width=0.86, color=outcome.colour, linewidth=0)
        below = below + shares[piece]
    right = (rows["predicted"].astype("Int64") == rows["grade"].astype("Int64")).fillna(False)
    crosses = [place for place, called in zip(places, right, strict=True) if not called]
    axes.scatter(crosses, [1.06] * len(crosses), s=18, c=wrong.colour, marker=wrong.marker, linewidths=1, clip_on=False)
    for end in rows["grade"].value_counts().sort_index().cumsum()[:-1]:
        axes.axvline(end - 0.5, color=drawing.MUTED, linewidth=0.8, zorder=3)
    axes.set(ylim=(0, 1.1), xlim=(-0.7, len(rows) - 0.3), ylabel="share of the votes", yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.grid(visible=False, axis="x")
    _name_classes(axes, rows, problem, list(range(problem.count)))


def _name_classes(axes: Axes, rows: pd.DataFrame, problem: Problem, order: list[int]) -> None:
    """Below the patients of each true class, its name and their number."""
    middles, names, start = [], [], 0
    for number in order:
        if count := int((rows["grade"] == number).sum()):
            middles.append(start + (count - 1) / 2)
            names.append(f"true {problem.classes[number]} ({count})")
            start += count
    axes.set_xticks(middles, names)
