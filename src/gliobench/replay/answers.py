"""Answers to the questions of a study, as a table: JSON lines (`.jsonl`), CSV or Parquet, one row per answer.

Columns: `subject`, `task`, `plane`, `slice` (the index on the study's grid), `answer` (to the letter; empty or null:
nothing came back). Optional: `repeat` (from 0), `rows`, `columns` (of the slice as shown), `content` (digest of the
image), `probability` (of two classes the positive one) or `probabilities` (of more classes each, a
list in their order), `tokens`, `finish` (`length`: the token limit ended the answer).
The answers that a run of gliobench left (`answers/<model>.jsonl`) are such a table with names of their own. It holds
every answer ever given; which of them count, the lists of keys beside it say.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import PLANES
from gliobench.integrity import DamagedError, read_keys
from gliobench.models.base.classified import checked_probability
from gliobench.models.base.operating_point import ClassProbability
from gliobench.models.external.answers import GivenAnswer, Place
from gliobench.records.record import FAILURES, is_sound
from gliobench.replay.errors import ReplayError, TornLineError
from gliobench.replay.layouts.table import READERS, given, whole
from gliobench.tasks.answer import Answer, Missing
from gliobench.tasks.registry import TASKS

NEEDED = ("subject", "task", "plane", "slice", "answer")
OF_RECORDS = {"slice": "index", "answer": "text", "probability": "score"}
LISTS = (".asked.json", ".repeated.json")  # beside a file of records, for its ending: the keys of those that count
MOST_TOKENS = 10_000_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class AnswersFile:
    """The answers by what was asked; the digest of all that decides them; what there is to say of the file."""

    answers: Mapping[Place, GivenAnswer]
    digest: str
    remarks: tuple[str, ...] = ()


def read_answers(path: Path, problem: Problem = GLIOMA) -> AnswersFile:
    """Read a file of answers. Raises ReplayError naming file and line."""
    if path.suffix not in READERS:
        raise ReplayError(f"{path}: expected a table of answers: {', '.join(f'*{one}' for one in READERS)}")
    try:
        lists = [one for one in (path.with_suffix(ending) for ending in LISTS) if one.is_file()]
        digest = hashlib.sha256(b"".join(one.read_bytes() for one in (path, *lists))).hexdigest()
    except OSError as error:
        raise ReplayError(f"{path}: no file of answers can be read here ({error.strerror})") from error
    rows, remarks = _rows(path, lists)
    found: dict[Place, GivenAnswer] = {}
    for line, row in rows:
        where = f"{path}:{line}"
        if absent := [name for name in NEEDED if name not in row]:
            raise ReplayError(f"{where}: no column {', '.join(absent)}; found {', '.join(map(str, row)) or 'nothing'}")
        try:
            place, answer = _place(row), _answer(row, where, problem)
        except (TypeError, ValueError, OverflowError) as error:
            raise ReplayError(f"{where}: {error}") from error
        if place in found:
            remedy = "number the answers to one question in a column `repeat`"
            if _is_record(row):
                names = " and ".join(path.with_suffix(ending).name for ending in LISTS)
                remedy = (
                    f"which of them counts, {names} say, which its run writes beside it when it ends: put them there"
                )
            raise ReplayError(
                f"{where}: {place.subject}, {place.task}, {place.plane} slice {place.index}, repeat {place.repeat} is "
                f"answered in {found[place].where} already: {remedy}"
            )
        found[place] = answer
    if not found:
        raise ReplayError(f"{path}: no row in it")
    return AnswersFile(found, digest, remarks)


def _rows(path: Path, lists: list[Path]) -> tuple[list[tuple[int, Row]], tuple[str, ...]]:
    """The rows that count, under the names of a table, and what was left out.

    Raises ReplayError for records of a model that writes nothing.
    """
    counting = _keys(lists)
    rows: list[tuple[int, Row]] = []
    row: Row = {}
    try:
        for line, row in READERS[path.suffix](path):
            if not _is_record(row):
                rows.append((line, row))
            elif counting is None or row["key"] in counting:
                rows.append((line, _of_record(row, f"{path}:{line}")))
    except TornLineError:
        if not _is_record(row):
            raise
        return rows, (f"{path}: the last line stops in its middle, as its run did, and is left out",)
    return rows, ()


def _keys(lists: list[Path]) -> set[str] | None:
    """The keys of the records that count, None where no list says so. Raises ReplayError."""
    keys: set[str] = set()
    for path in lists:
        try:
            keys.update(read_keys(path))
        except (OSError, DamagedError) as error:
            raise ReplayError(f"{path}: expected the keys of answers, as a run writes them ({error})") from error
    return keys if lists else None


def _is_record(row: Row) -> bool:
    return {"key", "kind", "value"} <= row.keys()


def _of_record(row: Row, where: str) -> Row:
    if not is_sound(dict(row)):
        raise ReplayError(f"{where}: this record is damaged (its checksum does not fit): see `gliobench repair --help`")
    if row["kind"] == "answered" and row.get("text") is None:
        raise ReplayError(
            f"{where}: {row.get('model')} writes no text that could be read again; masks of a network are "
            "replayed from NIfTI files (`gliobench predict --export-nifti`, and `masks:`)"
        )
    return {**row, **{name: row.get(theirs) for name, theirs in OF_RECORDS.items()}}


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


def _answer(row: Row, where: str, problem: Problem) -> GivenAnswer:
    sizes = [None if given(row, name) is None else whole(row, name, 0, 1) for name in ("rows", "columns")]
    rows, columns = sizes
    if (rows is None) != (columns is None):
        raise ValueError("give both `rows` and `columns`, or neither")
    text, content, finish = (given(row, name) for name in ("answer", "content", "finish"))
    return GivenAnswer(
        text=None if text is None else str(text),
        where=where,
        without_text=_without_text(row),
        shape=None if rows is None or columns is None else (rows, columns),
        content=None if content is None else str(content),
        probability=_probability(given(row, "probability"), given(row, "probabilities"), problem),
        tokens=None if given(row, "tokens") is None else whole(row, "tokens", 0, 0, MOST_TOKENS),
        finish=None if finish is None else str(finish),
    )


def _without_text(row: Row) -> Answer:
    """What a row without text is: what its record says, such as a refusal by a server's filter, else Missing."""
    if _is_record(row) and row["kind"] in FAILURES:
        return FAILURES[row["kind"]](str(row.get("reason") or ""))
    return Missing("nothing came back")


def _probability(one: Any, several: Any, problem: Problem) -> ClassProbability | None:
    """Of two classes `probability`, of more `probabilities`: a list, which is JSON text in CSV."""
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
