"""From matplotlib to a piece of a page: small SVG, text as text, the same bytes every time."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, RULE = "#1c2630", "#66727f", "#dfe4e8"
MODEL, BASELINE = "#0072b2", "#8d98a3"
TRUE_POSITIVE, TRUE_NEGATIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "#009e73", "#0072b2", "#d55e00", "#cc79a7"
NO_TARGET, UNANSWERED = TRUE_POSITIVE, "#c9d0d6"
# Of classes, by number: those of Okabe and Ito (2008) and of Tol's muted scheme that are no other's here.
CLASSES = ("#0072b2", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#882255", "#332288", "#999933")

STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def draw(name: str, label: str, size: tuple[float, float], paint: Callable[[Figure], None]) -> Markup:
    """Paint a figure of `size` (width, height in inches) and return it as inline SVG.

    `name` must be unique on the page (ids inside the drawing follow from it); `label` is read out by screen readers.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        text = io.StringIO()
        canvas: Any = FigureCanvasSVG(figure)  # `savefig` would draw it twice, the first time only to lay it out
        canvas.print_svg(text, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return Markup(_inline(text.getvalue(), label))


def shortened(name: str, length: int = 30) -> str:
    """A name that fits beside an axis; its middle is cut, because names of models often begin alike."""
    tail = (length - 1) // 2
    return name if len(name) <= length else f"{name[: length - 1 - tail]}…{name[-tail:]}"


def _inline(svg: str, label: str) -> str:
    """Drop what only a separate file needs: header, style for the whole page, group ids, fixed fonts and size."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d{2})\d+", r"\1", tag[0]), svg)  # coordinates, never words
    svg = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    return re.sub(r"\n\s*", "\n", svg)
