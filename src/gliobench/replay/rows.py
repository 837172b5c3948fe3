"""A row of a table as an external answer: JSON lines (`.jsonl`), CSV or Parquet, whatever the table is used for.

Columns: `subject`, `task`, `answer` (to the letter; empty or null: nothing came back), and of a slice `plane` (axial,
coronal or sagittal) and `slice` (whole number). Optional: `repeat` (answers to the same input, from 0), `rows`,
`columns` (pixels of the slice as shown), `spacing_mm` (a pixel's), `content` (digest of the image), `probability` (of
two classes the positive one) or `probabilities` (of more classes each, a list in their order), `tokens`, `finish`
(`length`: the token limit ended the answer), `reader`.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import PLANES
from gliobench.models.base.classified import checked_probability
from gliobench.models.base.operating_point import ClassProbability
from gliobench.replay.errors import ReplayError, TornLineError
from gliobench.replay.external import SPACING_MM, ExternalAnswer
from gliobench.replay.text import LONGEST_LINE, read_text
from gliobench.tasks.names import task_name
from gliobench.tasks.registry import TASKS

MAY_BE_EMPTY = ("answer", "truth")
LARGEST = 2048  # slices of a volume, and pixels of a slice's edge
MOST_TOKENS = 10_000_000
Row = Mapping[str, Any]


@contextmanager
def naming(path: Path, line: int) -> Iterator[None]:
    """What is wrong with a row becomes a ReplayError that names file and line."""
    try:
        yield
    except ReplayError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise ReplayError(f"{path}:{line}: {error}") from error


def answer_of(row: Row, path: Path, line: int, needed: Sequence[str], problem: Problem = GLIOMA) -> ExternalAnswer:
    """The answer in a row, its truth not yet read. `needed`: the columns without which it cannot be used.

    Raises ReplayError naming file and line.
    """
    with naming(path, line):
        if absent := [name for name in needed if name not in row]:
            raise ValueError(f"no column {', '.join(absent)}; found {', '.join(map(str, row)) or 'nothing'}")
        if empty := [name for name in needed if name not in MAY_BE_EMPTY and given(row, name) is None]:
            raise ValueError(f"nothing in the column `{empty[0]}`")
        task, plane, spacing = task_name(row["task"]), given(row, "plane"), float(given(row, "spacing_mm", SPACING_MM))
        if task not in TASKS:
            raise ValueError(f"task {task!r}: expected {', '.join(TASKS)}")
        if plane not in (None, *PLANES):
            raise ValueError(f"plane {plane!r}: expected {', '.join(PLANES)}")
        if not 0 < spacing < math.inf:
            raise ValueError(f"`spacing_mm` is the width of a pixel in mm, found {spacing}")
        return ExternalAnswer(
            subject=str(row["subject"]),
            task=task,
            text=_text(row, "answer"),
            path=path,
            line=line,
            plane=plane,
            index=_whole(row, "slice", 0),
            repeat=_whole(row, "repeat", 0) or 0,
            shape=_shape(row),
            spacing_mm=(spacing, spacing),
            content=_text(row, "content"),
            probability=_probability(row, problem),
            tokens=_whole(row, "tokens", 0, MOST_TOKENS),
            finish=_text(row, "finish"),
            reader=_text(row, "reader"),
        )


def given(row: Row, name: str, default: Any = None) -> Any:
    """What stands in an optional column, the default where nothing does (Parquet has NaN for it)."""
    value = row.get(name)
    return default if value in (None, "") or value != value else value


def _text(row: Row, name: str) -> str | None:
    """The text in a column; a whole number as people write it, though a table with gaps has it as 2.0."""
    value = given(row, name)
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(row: Row, name: str, least: int, most: int = LARGEST) -> int | None:
    """The whole number in an optional column. Raises ValueError for anything else."""
    value = given(row, name)
    if value is None:
        return None
    number = float(value)
    if not number.is_integer() or not least <= number <= most:
        raise ValueError(f"`{name}` is a whole number from {least} to {most}, found {value!r}")
    return int(number)


def _shape(row: Row) -> tuple[int, int] | None:
    rows, columns = (_whole(row, name, 1) for name in ("rows", "columns"))
    if rows is None and columns is None:
        return None
    if rows is None or columns is None:
        raise ValueError("give both `rows` and `columns`, or neither")
    return rows, columns


def _probability(row: Row, problem: Problem) -> ClassProbability | None:
    """Of two classes `probability`, of more `probabilities`: a list, which is JSON text in CSV."""
    one, several = given(row, "probability"), given(row, "probabilities")
    if len(problem.classes) > 2:
        if one is not None:
            raise ValueError(f"`probability` is of two classes: give `probabilities` ({', '.join(problem.classes)})")
        return None if several is None else checked_probability(_list(several), problem)
    if several is not None:
        raise ValueError("`probabilities` are of three classes or more: give `probability`")
    if one is None:
        return None
    if not 0 <= float(one) <= 1:
        positive = problem.classes[problem.positive_class] if problem.classes else "a class"
        raise ValueError(f"`probability` is that of {positive}, from 0 to 1, found {one!r}")
    return float(one)


def _list(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        raise ValueError(f"`probabilities` is a list such as [0.2, 0.3, 0.5], found {value[:60]!r}") from None


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
