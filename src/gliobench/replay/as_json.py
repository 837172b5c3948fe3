"""Scored answers as plain values, for machines."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gliobench.cohort.problem import GLIOMA
from gliobench.replay.outcome import Outcome, Side, published_side, standard_side
from gliobench.replay.protocol_comparison import changes
from gliobench.replay.repeated import overall
from gliobench.scoring.intervals import Figure
from gliobench.tasks.registry import TASKS


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Plain values to full precision; the keys stand in the README. Undefined figures are null."""
    head: dict[str, Any] = {"model": outcome.name, "task": outcome.external.task, "layout": outcome.external.layout}
    if outcome.external.problem != GLIOMA:
        head["problem"] = outcome.external.problem.name
    if outcome.external.remarks:
        head["remarks"] = list(outcome.external.remarks)
    if outcome.suspicion:
        head["warning"] = outcome.suspicion
    if outcome.consistency is not None:
        counts, figures = overall(outcome.consistency)
        head["consistency"] = {**counts, "metrics": _figures(figures)}
    if outcome.standard is None:
        return {**head, "protocol": "published", **_plain(published_side(outcome))}
    standard = {**_plain(standard_side(outcome)), "unanswered": outcome.standard.unanswered}
    if TASKS[outcome.external.task].has_area:
        standard["stacked"] = _plain(standard_side(outcome, stacked=True))["metrics"]
    if outcome.published is None:
        return {**head, "protocol": "standard", **standard}
    return {
        **head,
        "protocol": "both",
        "standard": standard,
        "published": _plain(published_side(outcome)),
        "changes": changes(outcome),
    }


def _plain(side: Side) -> dict[str, Any]:
    return {
        "n_asked": side.n_asked,
        "n_answered": side.n_answered,
        "n_subjects": side.n_subjects,
        "coverage": side.coverage,
        "metrics": _figures(side.figures),
        "left_out": list(side.left_out),
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        name: {key: None if value != value else value for key, value in asdict(figure).items()}
        for name, figure in figures.items()
    }
