"""Answers to the questions of a study, as a table: JSON lines (`.jsonl`), CSV or Parquet, one row an answer.

Columns: `subject`, `task`, `plane`, `slice` (the index on the study's grid), `answer` (to the letter; empty or null:
nothing came back). Optional: `repeat` (from 0), `rows`, `columns` (of the slice as shown), `content` (digest of the
image), `probability` (of HGG, for a grade), `tokens`, `finish` (`length`: the token limit ended the answer).
The answers that a run of gliobench left (`answers/<model>.jsonl`) are such a table with names of their own.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gliobench.grid.frame import PLANES
from gliobench.models.replayed import GivenAnswer, Place
from gliobench.replay.errors import ReplayError
from gliobench.replay.layouts.table import READERS, given, whole
from gliobench.tasks.registry import TASKS

NEEDED = ("subject", "task", "plane", "slice", "answer")
OF_RECORDS = {"slice": "index", "answer": "text", "probability": "score"}
MOST_TOKENS = 10_000_000
Row = Mapping[str, Any]


def read_answers(path: Path) -> tuple[dict[Place, GivenAnswer], str]:
    """The answers by what was asked, and the digest of the file. Raises ReplayError naming file and line."""
    if path.suffix not in READERS:
        raise ReplayError(f"{path}: expected a table of answers: {', '.join(f'*{one}' for one in READERS)}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReplayError(f"{path}: no file of answers can be read here ({error.strerror})") from error
    found: dict[Place, GivenAnswer] = {}
    for line, row in _rows(path):
        where = f"{path}:{line}"
        if absent := [name for name in NEEDED if name not in row]:
            raise ReplayError(f"{where}: no column {', '.join(absent)}; found {', '.join(map(str, row)) or 'nothing'}")
        try:
            place, answer = _place(row), _answer(row, where)
        except (TypeError, ValueError) as error:
            raise ReplayError(f"{where}: {error}") from error
        if place in found:
            raise ReplayError(
                f"{where}: {place.subject}, {place.task}, {place.plane} slice {place.index}, repeat {place.repeat} is "
                f"answered in {found[place].where} already: number the answers to one question in a column `repeat`"
            )
        found[place] = answer
    if not found:
        raise ReplayError(f"{path}: no row in it")
    return found, digest


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """The rows under the names of a table. Raises ReplayError for records of a model that writes nothing."""
    for line, row in READERS[path.suffix](path):
        if not {"key", "kind", "value"} <= row.keys():
            yield line, row
            continue
        if row["kind"] == "answered" and row.get("text") is None:
            raise ReplayError(
                f"{path}:{line}: {row.get('model')} writes no text that could be read again; masks of a network are "
                "replayed from NIfTI files (`gliobench predict --export-nifti`, and `masks:`)"
            )
        yield line, {**row, **{name: row.get(theirs) for name, theirs in OF_RECORDS.items()}}


def _place(row: Row) -> Place:
    subject, task, plane = (given(row, name) for name in ("subject", "task", "plane"))
    if subject is None:
        raise ValueError("no name in the column `subject`")
    if task not in TASKS:
        raise ValueError(f"task {task!r}: expected {', '.join(TASKS)}")
    if plane not in PLANES:
        raise ValueError(f"plane {plane!r}: expected {', '.join(PLANES)}")
    if given(row, "slice") is None:
        raise ValueError("no number in the column `slice`")
    return Place(str(subject), task, plane, whole(row, "slice", 0, 0), whole(row, "repeat", 0, 0))


def _answer(row: Row, where: str) -> GivenAnswer:
    sizes = [None if given(row, name) is None else whole(row, name, 0, 1) for name in ("rows", "columns")]
    rows, columns = sizes
    if (rows is None) != (columns is None):
        raise ValueError("give both `rows` and `columns`, or neither")
    text, content, finish = (given(row, name) for name in ("answer", "content", "finish"))
    return GivenAnswer(
        text=None if text is None else str(text),
        where=where,
        shape=None if rows is None or columns is None else (rows, columns),
        content=None if content is None else str(content),
        probability=_probability(given(row, "probability")),
        tokens=None if given(row, "tokens") is None else whole(row, "tokens", 0, 0, MOST_TOKENS),
        finish=None if finish is None else str(finish),
    )


def _probability(value: Any) -> float | None:
    if value is None:
        return None
    if not 0 <= float(value) <= 1:
        raise ValueError(f"`probability` is that of HGG, from 0 to 1, found {value!r}")
    return float(value)
