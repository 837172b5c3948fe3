"""The tumour's pixels, written row by row as runs of columns."""

import re

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer, Answered, Malformed, Truncated
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.reading import excerpt, judge, says_nothing

RUN = r"\d{1,9}(?:\s{0,2}(?:-|–|to)\s{0,2}\d{1,9})?"
LINE = re.compile(
    rf"[\s*`-]*(?:row\s{{0,2}})?(\d{{1,9}})\s{{0,2}}[:=]\s{{0,2}}[\[(]?({RUN}(?:\s{{0,2}}[,;]\s{{0,2}}{RUN})*+)[\])]?[\s*`.;,]*",
    re.I,
)
ROW = re.compile(r"\d\s{0,2}[:=]\s{0,2}[\[(]?\d{1,9}\s{0,2}(?:-|–|to)\s{0,2}\d")  # somewhere in a line
BROKEN = re.compile(r"[\s*`-]*(?:row\s{0,2})?\d{1,9}\s{0,2}[:=][\s\d,;–to-]*", re.IGNORECASE)


def truth(mask: Mask) -> Mask | None:
    """The slice's tumour itself; None where there is none."""
    return mask if mask.pixels.any() else None


def empty(frame: SliceFrame) -> Mask:
    """A slice without tumour."""
    return Mask(frame, np.zeros(frame.shape, dtype=bool))


def write(value: Value) -> str:
    """One line a row: `row: first-last, first-last`, both columns inside; `none` for an empty mask."""
    if not isinstance(value, Mask):
        raise TypeError(f"a mask is expected, got a {type(value).__name__}")
    lines = []
    for row in np.flatnonzero(value.pixels.any(axis=1)):
        edges = np.flatnonzero(np.diff(value.pixels[row].astype(np.int8), prepend=0, append=0))
        runs = ", ".join(f"{first}-{end - 1}" for first, end in zip(edges[::2], edges[1::2], strict=True))
        lines.append(f"{row}: {runs}")
    return "\n".join(lines) or "none"


def parse(text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
    """The mask that a text says, in lines such as `12: 30-45, 50-52`; lines without a row are passed over.

    `none` is an empty mask. A row or column outside the frame, or a run that ends before it starts, is Malformed, and
    so is a row behind a later one, unless it only repeats what was said; a
    mask that the token limit ended, or whose last line breaks off, is Truncated. `coordinates` is not used:
    no model has a form of its own for rows of runs.
    """

    def find(text: str) -> Answer | None:
        if says_nothing(text):
            return Answered(empty(frame))
        return _find(text, frame, cut_off)

    return judge(text, cut_off, find, "rows of runs such as 12: 30-45, 50-52")


def _find(text: str, frame: SliceFrame, cut_off: bool) -> Answer | None:
    pixels, lines = np.zeros(frame.shape, dtype=bool), text.strip().splitlines()
    matches = [match for line in lines if (match := LINE.fullmatch(line))]
    if not matches:
        return None
    if cut_off or (BROKEN.fullmatch(lines[-1]) and lines[-1].rstrip()[-1] in "-–:=,;"):
        return Truncated(f"the text ends within the mask, after {len(matches)} rows")
    said: dict[int, str] = {}
    if broken := next((line for line in lines if ROW.search(line) and not LINE.fullmatch(line)), None):
        return Malformed(f"a row that cannot be read: {excerpt(broken)}")
    for match in matches:
        row = int(match[1])
        last = next(reversed(said), row)
        if row < last and said.get(row) != match[2]:
            return Malformed(f"row {row} comes after row {last}: two masks in one text, or rows that are not in order")
        said.setdefault(row, match[2])
        for run in re.findall(RUN, match[2], re.IGNORECASE):
            first, *end = (int(column) for column in re.findall(r"\d+", run))
            last = end[0] if end else first
            if row >= frame.shape[0] or last >= frame.shape[1]:
                size = f"{frame.shape[0]} rows and {frame.shape[1]} columns"
                return Malformed(f"row {row}, columns {first}-{last}: outside the image of {size}")
            if last < first:
                return Malformed(f"row {row}: the run {first}-{last} ends before it starts")
            pixels[row, first : last + 1] = True
    return Answered(Mask(frame, pixels))
