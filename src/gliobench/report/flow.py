"""The flow of patients as STARD asks for it: found, left out and why, prepared, and in which part of which fold.

Boxes below one another, narrow enough to be read on a phone; in the colour of the text around, light or dark.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from gliobench.report import words
from gliobench.report.contents import Flow, ReportContents

FLOW = "flow.svg"
WIDTH, STEM, SIDE = 360, 40, 76  # of the drawing; where the arrow downwards is; where a box beside it begins
PADDING, LINE, GAP = 10, 18, 22
LETTER = 7.2  # of the mean width of a letter in this size, with room to spare
STYLE = (
    "<style>svg { color: #1c2630; font: 13px system-ui, sans-serif; } "
    "@media (prefers-color-scheme: dark) { svg { color: #e8ecef; } }</style>"
)


@dataclass(frozen=True)
class _Box:
    """Some lines of text; `beside`: to the right of the arrow, where those who leave go."""

    lines: Sequence[str]
    beside: bool = False


def draw_flow(contents: ReportContents) -> Markup | None:
    """The flow as inline SVG; None where it is not known."""
    return None if contents.flow is None else _drawn(contents, contents.flow, "")


def flow_file(contents: ReportContents) -> str:
    """The same as a file of its own. Raises ValueError where the flow is not known."""
    if contents.flow is None:
        raise ValueError("the flow of these patients is not known: there is nothing to draw")
    return f"{_drawn(contents, contents.flow, STYLE)}\n"


def _drawn(contents: ReportContents, flow: Flow, style: str) -> Markup:
    parts, y = [], 0.5
    boxes = list(_boxes(contents, flow))
    for number, box in enumerate(boxes):
        height = 2 * PADDING + LINE * len(box.lines)
        parts.append(_beside(box, y, height) if box.beside else _across(box, y, height))
        y += height + GAP
        if number < len(boxes) - 1:
            below = boxes[number + 1].beside
            parts.append(_line(STEM, y - GAP - (height if box.beside else 0), y, head=not below))
    size = f'viewBox="0 0 {WIDTH} {y - GAP + 0.5:g}" font-size="13" fill="currentColor"'
    label = escape(f"Flow of patients: {flow.words}")
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" {size}>{style}{"".join(parts)}</svg>'
    )


def _boxes(contents: ReportContents, flow: Flow) -> Iterator[_Box]:
    yield _Box(_wrapped(f"{flow.found} {flow.unit} found", WIDTH))
    if flow.left_out:
        reasons = [line for reason, count in flow.left_out for line in _wrapped(f"{count}: {reason}", WIDTH - SIDE)]
        yield _Box((f"{flow.excluded} left out", *reasons), beside=True)
    yield _Box(_wrapped(f"{flow.found - flow.excluded} prepared", WIDTH))
    if flow.unused:
        yield _Box(_wrapped(f"{flow.unused} in no part of the split", WIDTH - SIDE), beside=True)
    yield _Box([line for fold in flow.folds for line in _wrapped(fold.words, WIDTH)])
    for part in contents.parts:
        if part.name == "test":
            counts = words.by_class(contents.problem, part)
            yield _Box(_wrapped(f"{part.n} patients tested" + (f": {counts}" if counts else ""), WIDTH))


def _wrapped(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, int((width - 2 * PADDING) / LETTER))


def _across(box: _Box, y: float, height: float) -> str:
    return _rectangle(0.5, y, WIDTH - 1, height) + _text(box.lines, PADDING, y)


def _beside(box: _Box, y: float, height: float) -> str:
    arrow = f'<path d="M{STEM} {y + height / 2:g}H{SIDE - 1}m-6 -4l6 4l-6 4" fill="none" stroke="currentColor"/>'
    return arrow + _rectangle(SIDE, y, WIDTH - SIDE - 0.5, height) + _text(box.lines, SIDE + PADDING, y)


def _line(x: float, y: float, end: float, *, head: bool) -> str:
    tip = "m-4 -6l4 6l4 -6" if head else ""
    return f'<path d="M{x:g} {y:g}V{end:g}{tip}" fill="none" stroke="currentColor"/>'


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="none" stroke="currentColor"/>'


def _text(lines: Sequence[str], x: float, y: float) -> str:
    return "".join(
        f'<text x="{x:g}" y="{y + PADDING + LINE * (number + 0.75):g}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
