"""Truth and answer in three dimensions: the outlines of all slices, stacked at their position in the patient."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame, to_voxel
from gliobench.report import drawing
from gliobench.report.contents import OutlineItem
from gliobench.tasks.base import Ring
from gliobench.tasks.registry import task_of

TRUTH, ANSWER = drawing.TRUE_POSITIVE, drawing.FALSE_POSITIVE
MARGIN_MM = 5.0
FROM_THE_FRONT = {"elev": 24, "azim": 60}  # the patient's right on the left, as on a slice
DIRECTIONS = ("right → left", "posterior → anterior", "inferior → superior")  # as the labels run in this view
DOTS_PER_INCH = 160
Curve = NDArray[np.float64]


def draw_outlines(items: Sequence[OutlineItem]) -> list[tuple[str, str, Markup]]:
    """(model, what is shown, drawing) of every item."""
    return [
        (item.model, shown(item), drawing.draw(f"outlines-{place}", _label(item), (4.4, 3.6), partial(_paint, item)))
        for place, item in enumerate(items)
    ]


def write_outlines(item: OutlineItem, path: Path) -> None:
    """Write the figure with its legend to a file; the suffix of `path` sets the format (png, svg, pdf)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    style = drawing.STYLE | {"svg.hashsalt": "outlines", "savefig.facecolor": "white"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.0, 5.6))
        _paint(item, figure)
        lines = [Line2D([], [], color=colour) for colour in (TRUTH, ANSWER)]
        figure.legend(lines, ["truth", item.model], loc="lower center", ncols=2, frameon=False)
        figure.suptitle(shown(item), fontsize=10)
        figure.savefig(path, dpi=DOTS_PER_INCH)


def shown(item: OutlineItem) -> str:
    """`BraTS_001 (HGG): box, 21 of 23 slices answered, 12 axial slices drawn`."""
    grade = "" if item.grade is None else f" ({item.problem.class_name(item.grade)})"
    return f"{item.subject}{grade}: {said(item)}"


def said(item: OutlineItem) -> str:
    """`box, 21 of 23 slices answered, 12 axial slices drawn`."""
    answered = f"{item.n_answered} of {item.n_asked} slices" if item.per_slice else "whole patient"
    answered += " answered" if item.per_slice or item.n_answered else " not answered"
    drawn = len({value.frame.index for value in (*item.truth, *item.answer)})
    return f"{item.task}, {answered}, {drawn} {item.plane} slice{'s' * (drawn != 1)} drawn"


def curve_mm(ring: Ring, frame: SliceFrame, affine: NDArray[np.float64]) -> Curve:
    """(n, 3) a ring in world millimetres (RAS+), as the `affine` of the grid (4, 4) maps it."""
    rows, columns = np.array(ring).T
    voxel = np.broadcast_arrays(*to_voxel(frame, rows, columns))
    points: Curve = np.column_stack(voxel) @ affine[:3, :3].T + affine[:3, 3]
    return points


def _label(item: OutlineItem) -> str:
    return f"Outlines of truth and {item.model}, {item.subject}"


def _curves(item: OutlineItem) -> tuple[list[Curve], list[Curve], list[Curve]]:
    """The truth's rings, the answer's rings, and the answer's points."""
    truth = [
        curve_mm(ring, value.frame, item.affine) for value in item.truth for ring in task_of(value).drawn(value).rings
    ]
    answer: list[Curve] = []
    points: list[Curve] = []
    for value in item.answer:
        drawing = task_of(value).drawn(value)
        answer += [curve_mm(ring, value.frame, item.affine) for ring in drawing.rings]
        points += [curve_mm([drawing.cross], value.frame, item.affine)] if drawing.cross else []
    return truth, answer, points


def _paint(item: OutlineItem, figure: Figure) -> None:
    figure.set_layout_engine("none")  # matplotlib's layouts ignore how far the labels of 3D axes reach
    axes = figure.add_subplot(projection="3d", **FROM_THE_FRONT)
    axes.set_position((0.0, 0.08, 1.0, 0.98))
    truth, answer, points = _curves(item)
    for curves, colour in ((truth, TRUTH), (answer, ANSWER)):
        closed = [np.vstack([curve, curve[:1]]) for curve in curves]
        axes.add_collection3d(Line3DCollection(closed, colors=colour, linewidths=0.9, alpha=0.85), autolim=False)
    if points:
        axes.scatter(*np.vstack(points).T, color=ANSWER, marker="x", s=18, depthshade=False)
    everything = [*truth, *answer, *points]
    if everything:
        low = np.vstack(everything).min(axis=0) - MARGIN_MM
        high = np.vstack(everything).max(axis=0) + MARGIN_MM
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        axes.set_box_aspect(tuple(high - low), zoom=0.92)
    axes.zaxis.set_rotate_label(False)
    axes.zaxis.label.set_rotation(90)
    for axis, direction in zip((axes.xaxis, axes.yaxis, axes.zaxis), item.axes or DIRECTIONS, strict=True):
        axis.set_label_text(f"{direction} (mm)")
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        axis.set_pane_color((1, 1, 1, 0))
