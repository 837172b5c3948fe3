"""Answers as a table, one row per answer: JSON lines (`.jsonl`), CSV or Parquet; several files are read as one.

Columns: `subject` (text), `truth`, `answer` (what the model said, to the letter; empty or null: nothing came back).
Optional: `slice` (whole number; else the rows of a patient and repeat are counted), `plane` (axial, coronal or
sagittal), `repeat` (answers to the same input, from 0), `rows`, `columns` (pixels of the slice; 128), `spacing_mm`
(a pixel's; 1).
`truth`: what the task reads of plain values: of a grade LGG, HGG, 0 or 1; of a centre or box [row_min, column_min,
row_max, column_max], all four inside; of a polygon [[row, column], …]; empty, null or [] where the slice has no tumour.
In CSV such lists stand as JSON text.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gliobench.grid.frame import PLANES, Plane, SliceFrame
from gliobench.replay.errors import ReplayError, TornLineError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.text import LONGEST_LINE, read_text
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import TASKS

NEEDED = ("subject", "truth", "answer")
SIZE_PX, SPACING_MM = 128, 1.0
LARGEST = 2048  # slices of a volume, and pixels of a slice's edge
Row = Mapping[str, Any]


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix in READERS


def read(paths: Sequence[Path], task: str, plane: Plane) -> ExternalAnswers:
    """The answers of all files. Raises ReplayError naming file and line."""
    answers = []
    counted: dict[tuple[str, Any], int] = {}
    for path in paths:
        for line, row in READERS[path.suffix](path):
            if absent := [name for name in NEEDED if name not in row]:
                raise ReplayError(
                    f"{path}:{line}: no column {', '.join(absent)}; found {', '.join(map(str, row)) or 'nothing'}"
                )
            if row["subject"] in (None, ""):
                raise ReplayError(f"{path}:{line}: no name in the column `subject`")
            subject = str(row["subject"])
            run = (subject, row.get("repeat"))
            place = counted.get(run, 0)
            counted[run] = place + 1
            answers.append(_answer(row, task, plane, path, line, subject, place))
    return ExternalAnswers(task, "table", paths[0].parent, answers)


def _answer(row: Row, task: str, plane: Plane, path: Path, line: int, subject: str, place: int) -> ExternalAnswer:
    try:
        own_plane = row.get("plane") or plane
        if own_plane not in PLANES:
            raise ValueError(f"plane {own_plane!r}: expected {', '.join(PLANES)}")
        spacing = float(given(row, "spacing_mm", SPACING_MM))
        if not 0 < spacing < math.inf:
            raise ValueError(f"`spacing_mm` is the width of a pixel in mm, found {spacing}")
        shape = (whole(row, "rows", SIZE_PX, 1), whole(row, "columns", SIZE_PX, 1))
        frame = SliceFrame(own_plane, whole(row, "slice", place, 0), shape, (spacing, spacing))
        truth = _truth(row["truth"], task, frame)
        repeat = whole(row, "repeat", 0, 0)
    except (TypeError, ValueError, OverflowError) as error:
        raise ReplayError(f"{path}:{line}: {error}") from error
    said = row["answer"]
    return ExternalAnswer(subject, frame, truth, None if said in (None, "") else str(said), path, line, repeat)


def given(row: Row, name: str, default: Any = None) -> Any:
    """What stands in an optional column, the default where nothing does (Parquet has NaN for it)."""
    value = row.get(name)
    return default if value in (None, "") or value != value else value


def whole(row: Row, name: str, default: int, least: int, most: int = LARGEST) -> int:
    """The whole number in an optional column. Raises ValueError for anything else."""
    value = given(row, name, default)
    number = float(value)
    if not number.is_integer() or not least <= number <= most:
        raise ValueError(f"`{name}` is a whole number from {least} to {most}, found {value!r}")
    return int(number)


def _truth(value: Any, task: str, frame: SliceFrame) -> Value | None:
    kind = TASKS[task].truth_task
    try:
        return kind.of_plain(_content(value), frame)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the truth of a {task} is {kind.truth_format}; found {str(value)[:60]!r}") from error


def _content(value: Any) -> Any:
    """What a cell says: a list or a number, which is JSON text in CSV, or a word; None where there is nothing."""
    try:
        content = json.loads(value) if isinstance(value, str) and value else value
    except json.JSONDecodeError:
        content = value
    return None if content in (None, "", []) else content


def _json_lines(path: Path) -> Iterator[tuple[int, Row]]:
    lines = read_text(path).split("\n")
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            kind = TornLineError if line == len(lines) else ReplayError  # no line break behind it
            raise kind(f"{path}:{line}: not JSON ({error.msg} at character {error.colno})") from error
        except (RecursionError, ValueError) as error:
            raise ReplayError(f"{path}:{line}: not a row of answers ({error})") from error
        if not isinstance(row, dict):
            raise ReplayError(f"{path}:{line}: an object such as {{'subject': …}} is expected, found {text[:40]!r}")
        yield line, row


def _csv(path: Path) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        names = reader.fieldnames or []
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ReplayError(f"{path}:1: the column {twice!r} is duplicated: keep one")
        for row in reader:
            if None in row or None in row.values():
                raise ReplayError(f"{path}:{reader.line_num}: not as many columns as the first line has")
            yield reader.line_num, row
    except csv.Error as error:
        raise ReplayError(f"{path}:{reader.line_num}: not CSV ({error})") from error


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        rows = pq.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise ReplayError(f"{path}: not a Parquet file ({error})") from error
    for line, row in enumerate(rows, start=1):
        try:
            yield line, {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        except UnicodeDecodeError as error:
            raise ReplayError(f"{path}:{line}: a column of bytes that are not UTF-8 text ({error.reason})") from error


READERS = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet}
