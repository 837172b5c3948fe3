"""Answers as a table, one row an answer: JSON lines (`.jsonl`), CSV or Parquet; several files are read as one.

Columns: `subject` (text), `truth`, `answer` (what the model said, to the letter; empty or null: nothing came back).
Optional: `slice` (whole number; else the rows of a patient are counted), `plane` (axial, coronal or sagittal),
`repeat` (answers to the same input, from 0), `rows`, `columns` (pixels of the slice; 128), `spacing_mm` (a pixel's; 1).
`truth`: of a grade LGG, HGG, 0 or 1; of a centre or box [row_min, column_min, row_max, column_max], all four inside; of
a polygon [[row, column], …]; empty, null or [] where the slice has no tumour. In CSV such lists stand as JSON text.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.frame import PLANES, Plane, SliceFrame
from gliobench.replay.errors import ReplayError
from gliobench.replay.held import Held, HeldAnswer
from gliobench.replay.text import read_text
from gliobench.tasks.geometry import Box, Grade, Polygon, Value

NEEDED = ("subject", "truth", "answer")
GRADES = {"0": LGG, "LGG": LGG, "1": HGG, "HGG": HGG}
SIZE_PX, SPACING_MM = 128, 1.0
Row = Mapping[str, Any]


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix in READERS


def read(paths: Sequence[Path], task: str, plane: Plane) -> Held:
    """The answers of all files. Raises ReplayError naming file and line."""
    answers = []
    counted: dict[str, int] = {}
    for path in paths:
        for line, row in READERS[path.suffix](path):
            if absent := [name for name in NEEDED if name not in row]:
                raise ReplayError(
                    f"{path}:{line}: no column {', '.join(absent)}; found {', '.join(map(str, row)) or 'nothing'}"
                )
            subject = str(row["subject"])
            place = counted.get(subject, 0)
            counted[subject] = place + 1
            answers.append(_answer(row, task, plane, path, line, subject, place))
    return Held(task, "table", paths[0].parent, answers)


def _answer(row: Row, task: str, plane: Plane, path: Path, line: int, subject: str, place: int) -> HeldAnswer:
    try:
        own_plane = row.get("plane") or plane
        if own_plane not in PLANES:
            raise ValueError(f"plane {own_plane!r}: expected {', '.join(PLANES)}")
        spacing = float(row.get("spacing_mm") or SPACING_MM)
        shape = (int(row.get("rows") or SIZE_PX), int(row.get("columns") or SIZE_PX))
        given = row.get("slice")
        index = place if given in (None, "") else int(given)
        frame = SliceFrame(own_plane, index, shape, (spacing, spacing))
        truth = _truth(row["truth"], task, frame)
        repeat = int(row.get("repeat") or 0)
    except (TypeError, ValueError) as error:
        raise ReplayError(f"{path}:{line}: {error}") from error
    said = row["answer"]
    return HeldAnswer(subject, frame, truth, None if said in (None, "") else str(said), path, line, repeat)


def _truth(value: Any, task: str, frame: SliceFrame) -> Value | None:
    if task == "grade":
        if str(value) not in GRADES:
            raise ValueError(f"the truth of a grade is LGG, HGG, 0 or 1, found {value!r}")
        return Grade(GRADES[str(value)])
    places = json.loads(value) if isinstance(value, str) and value.strip() else value
    if places is None or places == "" or len(places) == 0:
        return None
    if task == "polygon":
        return Polygon(frame, tuple((float(row), float(column)) for row, column in places))
    row_min, column_min, row_max, column_max = (float(edge) for edge in places)
    if row_min > row_max or column_min > column_max:
        raise ValueError(f"a box is [row_min, column_min, row_max, column_max], found {value!r}")
    return Box(frame, row_min, column_min, row_max, column_max)


def _json_lines(path: Path) -> Iterator[tuple[int, Row]]:
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise ReplayError(f"{path}:{line}: not JSON ({error.msg} at character {error.colno})") from error
        if not isinstance(row, dict):
            raise ReplayError(f"{path}:{line}: an object such as {{'subject': …}} is expected, found {text[:40]!r}")
        yield line, row


def _csv(path: Path) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    for row in reader:
        if None in row or None in row.values():
            raise ReplayError(f"{path}:{reader.line_num}: not as many columns as the first line has")
        yield reader.line_num, row


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        rows = pq.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise ReplayError(f"{path}: not a Parquet file ({error})") from error
    yield from enumerate(rows, start=1)


READERS = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}
