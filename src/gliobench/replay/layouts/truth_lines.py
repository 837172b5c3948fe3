"""Files with a ground truth before each answer: `Ground truth: … || Model output: …`, one file per patient.

An answer goes on until the next ground truth, over as many lines as it has. Points are (row, column); (-1, -1) in a
truth says that the slice has no tumour. The truth of a class is its number or name, of a centre the `bbox` beside it,
of a box four points, of a polygon more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.numbering import file_of_each, missing_numbers
from gliobench.replay.rows import naming
from gliobench.replay.text import line_of, read_text, subject_name
from gliobench.tasks.base import Task
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Box, Grade, Polygon, Value
from gliobench.tasks.registry import task_about

START = re.compile(r"^(?=Ground truth)", re.MULTILINE)
ANSWER = "|| Model output:"
POINT = re.compile(r"\((-?\d+),\s*(-?\d+)\)")
NO_TUMOUR = (-1, -1)


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix == ".txt" and bool(START.search(head))


def read(paths: Sequence[Path], task: str, plane: Plane, problem: Problem) -> ExternalAnswers:
    """The answers of all files, one file per patient. Raises ReplayError naming file and line."""
    answers: list[ExternalAnswer] = []
    silent = []
    numbered = file_of_each(paths)
    for number, path in numbered.items():
        own = list(_answers(path, subject_name(number), task_about(problem, task), plane))
        answers += own
        if not own:
            silent.append(subject_name(number))
    return ExternalAnswers(task, "truth lines", paths[0].parent, answers, tuple(silent), missing_numbers(numbered))


def _answers(path: Path, subject: str, task: Task, plane: Plane) -> Iterator[ExternalAnswer]:
    text = read_text(path)
    starts = [match.start() for match in START.finditer(text)]
    if starts and text[: starts[0]].strip():
        raise ReplayError(f"{path}:1: text before the first `Ground truth`: {text[: starts[0]].strip()[:60]!r}")
    if not starts and text.strip():
        raise ReplayError(f"{path}:1: no line begins with `Ground truth`, found {text.strip()[:60]!r}")
    ends = [*starts[1:], len(text)][: len(starts)]
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        line = line_of(text, start)
        truth, mark, answer = text[start:end].partition(ANSWER)
        if not mark:
            raise ReplayError(f"{path}:{line}: a ground truth without `{ANSWER}` after it: {truth.strip()[:60]!r}")
        found = ExternalAnswer(subject, task.name, answer.strip() or None, path, line, plane, index)
        with naming(path, line):
            found = replace(found, truth=_truth(truth, task, found.frame))
        yield found


def _truth(text: str, task: Task, frame: SliceFrame) -> Value | None:
    kind = task.truth_task
    if kind.value_type is Grade:
        return _class(text, kind)
    if kind.value_type not in (Box, Polygon):
        raise ValueError(f"a ground truth before each answer is known of no {task.name}: give a table")
    where = text.partition("bbox")[2] if task.name == CENTRE.name else text
    points = [(int(row), int(column)) for row, column in POINT.findall(where)]
    if not points:
        needed = "a `bbox` of points" if task.name == CENTRE.name else "points"
        raise ValueError(f"the truth of a {task.name} needs {needed}, found {text.strip()[:60]!r}")
    real = [point for point in points if point != NO_TUMOUR]
    if not real:
        return None
    if kind.value_type is Polygon:
        return Polygon(frame, tuple((float(row), float(column)) for row, column in real))
    if len(points) != 4:
        raise ValueError(f"a {task.name}'s truth has four corners, found {len(points)} points")
    rows, columns = zip(*real, strict=True)
    return Box(frame, min(rows), min(columns), max(rows), max(columns))


def _class(text: str, task: Task) -> Value | None:
    """The class that a truth names or numbers."""
    try:
        return task.of_plain(text.rpartition(":")[2].strip(), None)
    except ValueError as error:
        raise ValueError(f"the truth is {task.truth_format}, found {text.strip()[:60]!r}") from error
