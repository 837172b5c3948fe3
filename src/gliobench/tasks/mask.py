"""The tumour's pixels, written row by row as runs of columns."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer, Answered, Malformed, Truncated
from gliobench.tasks.base import Drawing, Numbers, Ring, Task
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Mask
from gliobench.tasks.reading import excerpt, judge, says_nothing

RUN = r"\d{1,9}(?:\s{0,2}(?:-|–|to)\s{0,2}\d{1,9})?"
LINE = re.compile(
    rf"[\s*`-]*(?:row\s{{0,2}})?(\d{{1,9}})\s{{0,2}}[:=]\s{{0,2}}[\[(]?({RUN}(?:\s{{0,2}}[,;]\s{{0,2}}{RUN})*+)[\])]?[\s*`.;,]*",
    re.I,
)
ROW = re.compile(r"\d\s{0,2}[:=]\s{0,2}[\[(]?\d{1,9}\s{0,2}(?:-|–|to)\s{0,2}\d")  # anywhere in a line
TOLERANCE_PX = 0.3  # how far a point may lie from a traced outline to be left out
MOST_RUNS = 8  # in a line; the real patients' rows have at most 7, and one in 600 more than 4
BROKEN = re.compile(r"[\s*`-]*(?:row\s{0,2})?\d{1,9}\s{0,2}[:=][\s\d,;–to-]*", re.IGNORECASE)


class MaskTask(Task):
    """The tumour's pixels, written row by row as runs of columns."""

    name, value_type, json_key = "mask", Mask, "runs"
    summary = "the target's pixels in a slice, or its voxels in a patient: rows of runs, row: first-last"
    expected = "rows of runs such as 12: 30-45, 50-52"
    compared_as, primary = "area", ("dice", "hd95_mm")
    has_area, in_words = True, False

    def of_mask(self, mask: Mask) -> Mask | None:
        """The slice's tumour itself; None where there is none."""
        return mask if mask.pixels.any() else None

    def write(self, value: Any) -> str:
        """One line per row: `row: first-last, first-last`, both columns inside; `none` for an empty mask."""
        self.expect(value)
        lines = []
        for row in np.flatnonzero(value.pixels.any(axis=1)):
            edges = np.flatnonzero(np.diff(value.pixels[row].astype(np.int8), prepend=0, append=0))
            runs = ", ".join(f"{first}-{end - 1}" for first, end in zip(edges[::2], edges[1::2], strict=True))
            lines.append(f"{row}: {runs}")
        return "\n".join(lines) or "none"

    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The mask in a text, in lines such as `12: 30-45, 50-52`; lines without a row are skipped.

        `none` is an empty mask. A row or column outside the frame, or a run that ends before it starts, is Malformed,
        and so is a row after a later one, unless it repeats the same run; a mask that the token limit ended, or whose
        last line is incomplete, is Truncated. `coordinates` is not used: no model has its own format for rows of runs.
        """

        def find(text: str) -> Answer | None:
            if says_nothing(text, self.problem.target):
                return Answered(empty(frame))
            return _find(text, frame, cut_off)

        return judge(text, cut_off, find, self.expected)

    def pattern(self, numbers: Numbers) -> str:
        line = rf"{numbers.row}: {numbers.run}(, {numbers.run}){numbers.runs}"
        return rf"({line}(\n{line}){numbers.lines}|none)"

    def longest(self, shape: tuple[int, int]) -> str:
        row, column = (size - 1 for size in shape)
        return "\n".join([f"{row}: {', '.join([f'{column}-{column}'] * MOST_RUNS)}"] * shape[0])

    def to_json(self, value: Any) -> list[int]:
        """Runs [start, length, …] over the slice's pixels in C order."""
        edges = np.flatnonzero(np.diff(value.pixels.ravel(), prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        runs: list[int] = np.column_stack([starts, ends - starts]).ravel().tolist()
        return runs

    def from_json(self, content: Any, frame: SliceFrame | None) -> Mask:
        assert frame is not None
        pixels = np.zeros(math.prod(frame.shape), dtype=bool)
        for start, length in zip(content[::2], content[1::2], strict=True):
            pixels[start : start + length] = True
        return Mask(frame, pixels.reshape(frame.shape))

    def of_plain(self, content: Any, frame: SliceFrame | None) -> Mask | None:
        """From an array of the slice's shape, tumour where it is not 0."""
        if content is None:
            return None
        assert frame is not None
        pixels = np.asarray(content)
        if pixels.shape != frame.shape:
            raise ValueError(f"expected a mask of shape {frame.shape}, found {pixels.shape}")
        return Mask(frame, pixels.astype(bool))

    def exact(self, value: Any) -> str:
        return np.packbits(value.pixels).tobytes().hex() if value.pixels.any() else self.problem.no_target

    def enlarge(self, value: Any, scale: int) -> Mask:
        return Mask(value.frame.enlarged(scale), value.pixels.repeat(scale, axis=0).repeat(scale, axis=1))

    def reduce(self, value: Any, frame: SliceFrame, scale: int) -> Mask:
        """A pixel is set where at least half of its enlarged pixels are."""
        rows, columns = frame.shape
        marked = value.pixels.reshape(rows, scale, columns, scale).sum(axis=(1, 3))
        return Mask(frame, np.asarray(2 * marked >= scale**2))

    def fill(self, value: Any) -> Mask:
        self.expect(value)
        return Mask(value.frame, value.pixels)

    def drawn(self, value: Any) -> Drawing:
        """One ring per component and per hole."""
        return Drawing(mask_rings(value.pixels))


MASK = MaskTask()


def empty(frame: SliceFrame) -> Mask:
    """A slice without tumour."""
    return Mask(frame, np.zeros(frame.shape, dtype=bool))


def mask_rings(pixels: NDArray[np.bool_]) -> Sequence[Ring]:
    """The outline of (rows, columns) bool pixels, one ring per component and per hole; none where the mask is empty."""
    from skimage.measure import approximate_polygon, find_contours

    contours = find_contours(np.pad(pixels, 1).astype(np.float64), 0.5)
    return [
        [(float(row), float(column)) for row, column in approximate_polygon(ring, TOLERANCE_PX) - 1]
        for ring in contours
    ]


def _find(text: str, frame: SliceFrame, cut_off: bool) -> Answer | None:
    pixels, lines = np.zeros(frame.shape, dtype=bool), text.strip().splitlines()
    matches = [match for line in lines if (match := LINE.fullmatch(line))]
    if not matches:
        return None
    if cut_off or (BROKEN.fullmatch(lines[-1]) and lines[-1].rstrip()[-1] in "-–:=,;"):
        return Truncated(f"the text ends within the mask, after {len(matches)} rows")
    said: dict[int, str] = {}
    if broken := next((line for line in lines if ROW.search(line) and not LINE.fullmatch(line)), None):
        return Malformed(f"a row that cannot be parsed: {excerpt(broken)}")
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
