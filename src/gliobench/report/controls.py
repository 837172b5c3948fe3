"""Does it look at the image? What became of the answers where the image was changed, as tables and in words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gliobench.grid.controls import CONTROLS
from gliobench.report import metrics, numbers
from gliobench.report.contents import ReportContents
from gliobench.report.pairs import signed
from gliobench.scoring.controls import COUNTED, NOT_LOOKING, SAME_DICE, SAME_MM
from gliobench.tasks.registry import task_words

WORDS = (
    "The same questions about changed images, beside the answers about the patients' own. An answer has changed if the "
    f"class is another, if the places overlap by a Dice of less than {SAME_DICE:g}, if the points lie more than "
    f"{SAME_MM:g} mm apart, or if there is a target in one of the two alone. The rest stayed the same, or there was no "
    "usable answer on one side or both. Undecided: a place that is its own mirror image, so that no answer about the "
    "mirror image could differ; it is in no proportion. Intervals: 95 %, over patients."
)
GAP_WORDS = (
    "What answers are worth on the patients' own images and on their mirror images, which were never published, held "
    "against the mirrored truth; paired by patient, p corrected for the models of the task (Holm)."
)
TRACE = 0.01  # a median change of a probability that shows that a model sees the image


@dataclass(frozen=True)
class ControlRow:
    """A model's answers to one task about one kind of changed image, as text. `telling`: whether a model that looks has
    to answer otherwise."""

    model: str
    task: str
    control: str
    telling: bool
    outcomes: tuple[str, ...]
    undecided: int
    probability: str
    patients: int
    pairs: int


@dataclass(frozen=True)
class GapRow:
    """A model on own and on mirror images, as text."""

    model: str
    task: str
    metric: str
    own: str
    mirrored: str
    difference: str
    interval: str
    p: str
    patients: int
    shown: bool


def control_rows(contents: ReportContents) -> list[ControlRow]:
    """One row per model, task and control; empty where the study asked no controls."""
    if contents.controls is None:
        return []
    groups = contents.controls.figures.groupby(["model", "task", "plane", "control"], sort=False)
    return [_row(contents, rows) for _, rows in groups]


def _row(contents: ReportContents, rows: pd.DataFrame) -> ControlRow:
    by_outcome = {row.outcome: row for row in _each(rows)}
    one = by_outcome[COUNTED[0]]
    moved = one.probability_change
    return ControlRow(
        model=one.model,
        task=f"{task_words(one.task, contents.problem)}, {one.plane}",
        control=control_words(contents, one.control),
        telling=one.telling,
        outcomes=_shares([by_outcome[name] for name in COUNTED]),
        undecided=one.n_undecided,
        probability="–" if math.isnan(moved) else numbers.share(moved),
        patients=one.n_subjects,
        pairs=one.n_pairs,
    )


def _shares(rows: Sequence[Any]) -> tuple[str, ...]:
    """The proportion of each outcome; where none is defined, why, once."""
    if all(math.isnan(row.value) for row in rows):
        return (f"not defined: {rows[0].reason}", *("–" for _ in rows[1:]))
    return tuple(_share(row) for row in rows)


def _share(row: Any) -> str:
    ends = f"{numbers.percent(row.low)} to {numbers.percent(row.high)}" if row.low == row.low else row.reason
    return f"{numbers.percent(row.value)} ({ends})"


def control_words(contents: ReportContents, control: str) -> str:
    """What was asked about instead of the own image; its name alone where no package here has it."""
    words = CONTROLS[control].words if control in CONTROLS else control
    return words.format(target=contents.problem.finding_words)


def gap_rows(contents: ReportContents) -> list[GapRow]:
    """One row per model and task that was asked about mirror images."""
    return [] if contents.controls is None else [_gap(contents, row) for row in _each(contents.controls.gaps)]


def _gap(contents: ReportContents, row: Any) -> GapRow:
    unit = metrics.unit(row.metric)
    return GapRow(
        model=row.model,
        task=f"{task_words(row.task, contents.problem)}, {row.plane}",
        metric=metrics.title(row.metric),
        own=numbers.with_unit(row.own, unit),
        mirrored=numbers.with_unit(row.altered, unit),
        difference=signed(row.difference, unit),
        interval=numbers.interval(row.low, row.high, unit),
        p="–" if math.isnan(row.p_holm) else numbers.share(row.p_holm),
        patients=row.n_subjects,
        shown=bool(row.shown),
    )


def control_sentences(contents: ReportContents) -> list[str]:
    """In plain words, who answers as if there were no image, and who is better on images that it may have seen."""
    if contents.controls is None:
        return []
    figures = contents.controls.figures
    asked = figures[(figures["outcome"] == "same") & figures["telling"] & ~figures["model"].isin(contents.baselines)]
    groups = asked.groupby(["model", "task", "plane"], sort=False)
    found = [sentence for _, rows in groups for sentence in _looking(contents, list(_each(rows)))]
    if not found and len(asked):
        found = ["No model was found whose answers stay as they are where the image is changed."]
    return [*found, *_leaks(contents)]


def _looking(contents: ReportContents, rows: list[Any]) -> Iterator[str]:
    """On one model and task: `rows` of the answers that stayed the same, control by control."""
    who = f"{rows[0].model}, {task_words(rows[0].task, contents.problem)}"
    unmoved = [row for row in rows if row.low > 1 - NOT_LOOKING]
    decided = [row for row in rows if row.n_pairs]
    seen = "; ".join(_stayed(contents, row) for row in unmoved)
    if unmoved and len(unmoved) == len(decided):
        trace = _trace(decided)
        verdict = "it answers as if it had not looked at the image" if trace else "it has not looked at the image"
        yield f"{who}: {verdict}. Its answers stay the same ({seen}){trace}."
    elif unmoved:
        target = contents.problem.finding_words
        known = [CONTROLS[row.control].unmoved.format(target=target) for row in unmoved if row.control in CONTROLS]
        yield f"{who}: its answers do not depend on {numbers.listed(known)} ({seen})."
    elif constant := [row for row in decided if row.n == row.n_pairs]:
        counts = "; ".join(f"{control_words(contents, row.control)}: 0 of {row.n_pairs}" for row in constant)
        yield (
            f"{who}: no answer changed ({counts}), of too few patients ({rows[0].n_subjects}) to say that it does not "
            "look."
        )


def _trace(rows: list[Any]) -> str:
    """What shows that a model sees the image whose answers do not depend on it; empty where nothing does."""
    moved, differ = max(row.probability_change for row in rows), sum(row.n - row.n_equal for row in rows)
    if moved >= TRACE:
        return f"; its probabilities move, by a median of up to {numbers.share(moved)}, and do not change what it says"
    return f"; {differ} of them differ a little" if differ > 0 else ""


def _stayed(contents: ReportContents, row: Any) -> str:
    return (
        f"{control_words(contents, row.control)}: {_share(row)} of {row.n_pairs} answers, "
        f"{numbers.patients(row.n_subjects)}"
    )


def _leaks(contents: ReportContents) -> Iterator[str]:
    assert contents.controls is not None
    for row, words in zip(_each(contents.controls.gaps), gap_rows(contents), strict=True):
        better = (row.difference < 0) == metrics.lower_is_better(row.metric)
        if row.shown and better and row.model not in contents.baselines:
            yield (
                f"{words.model}, {words.task}: better on the patients' own images than on their mirror images "
                f"({words.metric} {words.own} and {words.mirrored}, difference {words.difference}, {words.interval}, "
                f"{numbers.patients(words.patients)}), as a model is that has seen these images before, or that has "
                "learned on which side things are."
            )


def _each(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)
