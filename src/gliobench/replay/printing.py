"""What `gliobench replay` prints."""

import json
from collections.abc import Iterator

from gliobench.replay.as_json import as_json
from gliobench.replay.external import ExternalAnswers
from gliobench.replay.outcome import Outcome, Side, published_side, standard_side
from gliobench.replay.protocol_comparison import changes, rows
from gliobench.replay.repeated import overall
from gliobench.scoring.intervals import Figure
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS, task_words

INDENT = "  "


def json_text(outcome: Outcome) -> str:
    """The figures to full precision."""
    return json.dumps(as_json(outcome), indent=1, allow_nan=False)


def lines(outcome: Outcome) -> Iterator[str]:
    """The table of one protocol, or of both with what changed and why, and how alike repeated answers are."""
    yield from _scores(outcome)
    if outcome.suspicion:
        yield outcome.suspicion
    if outcome.consistency is not None:
        counts, figures = overall(outcome.consistency)
        yield f"repeated: {counts['n_asked']} answers to {counts['n_inputs']} inputs, the first ones scored above"
        for name, figure in figures.items():
            yield f"{INDENT}{name:28} {figure_text(figure):>28}"


def _scores(outcome: Outcome) -> Iterator[str]:
    external = outcome.external
    spacing = _assumed(external)
    patients = f"{len(external.answers)} answers about {len(external.by_subject)} patients"
    yield f"{outcome.name}: {task_words(external.task, external.problem)}, {patients} ({external.layout})"
    if outcome.standard is None:
        yield from _side("published protocol (the reference study's own arithmetic)", published_side(outcome))
        yield from external.remarks
        return
    if outcome.published is None:
        yield from _side("standard protocol", standard_side(outcome))
        if outcome.standard.unanswered:
            kinds = ", ".join(f"{count} {kind}" for kind, count in outcome.standard.unanswered.items())
            yield f"{INDENT}not usable: {kinds}"
        if TASKS[external.task].has_area:
            yield from _side("stacked to a volume", standard_side(outcome, stacked=True))
        yield spacing
        return
    yield f"{INDENT}{'':28} {'published':>28} {'standard':>28}"
    for row in rows(outcome):
        yield f"{INDENT}{row.name:28} {figure_text(row.published):>28} {figure_text(row.standard):>28}"
    for sentence in changes(outcome):
        yield f"{INDENT}- {sentence}"
    yield spacing


def _side(title: str, side: Side) -> Iterator[str]:
    yield (
        f"{title}: {side.n_subjects} patients, {side.n_answered} of {side.n_asked} questions answered "
        f"({side.coverage:.1%})"
    )
    for name, figure in side.figures.items():
        yield f"{INDENT}{name:28} {figure_text(figure):>28}"
    for line in side.left_out:
        yield f"{INDENT}left out: {line}"


def figure_text(figure: Figure) -> str:
    """A value with its interval, or why there is none."""
    if figure.value != figure.value:
        return f"not defined: {figure.reason}"
    if figure.low != figure.low:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def _assumed(external: ExternalAnswers) -> str:
    if external.remarks:
        return " ".join(("95 % intervals over patients.", *external.remarks))
    return (
        f"95 % intervals over patients; a patient's {external.problem.asked} is the majority of its slices."
        if external.task == GRADE.name
        else "95 % intervals over patients; 1 mm per pixel and between slices, unless a table says otherwise."
    )
