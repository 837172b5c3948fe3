"""Answers with their truths as a table (`gliobench.replay.rows`): `subject`, `truth` and `answer` are needed; several
files are read as one.

Without `slice` the rows of a patient and repeat are counted. `truth`: what the task reads of plain values: of a class
its name or number; of a centre or box [row_min, column_min, row_max, column_max], all four inside; of a polygon
[[row, column], …]; empty, null or [] where the slice has no tumour. In CSV such lists stand as JSON text.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.replay.external import SIZE_PX, ExternalAnswer, ExternalAnswers
from gliobench.replay.rows import READERS, answer_of, given, naming
from gliobench.tasks.base import Task
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import task_about

NEEDED = ("subject", "truth", "answer")


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix in READERS


def read(paths: Sequence[Path], task: str, plane: Plane, problem: Problem) -> ExternalAnswers:
    """The answers of all files. Raises ReplayError naming file and line."""
    answers: list[ExternalAnswer] = []
    counted = Counter[tuple[str, str]]()
    for path in paths:
        for line, row in READERS[path.suffix](path):
            run = (str(row.get("subject")), str(row.get("repeat")))
            size = {name: given(row, name, SIZE_PX) for name in ("rows", "columns")}
            known = {"task": task, "plane": given(row, "plane", plane), "slice": given(row, "slice", counted[run])}
            answer = answer_of({**row, **size, **known}, path, line, NEEDED, problem)
            with naming(path, line):
                answers.append(replace(answer, truth=_truth(row["truth"], task_about(problem, task), answer.frame)))
            counted[run] += 1
    return ExternalAnswers(task, "table", paths[0].parent, answers)


def _truth(value: Any, task: Task, frame: SliceFrame) -> Value | None:
    kind = task.truth_task
    try:
        return kind.of_plain(_content(value), frame)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the truth of a {task.name} is {kind.truth_format}; found {str(value)[:60]!r}") from error


def _content(value: Any) -> Any:
    """What a cell says: a list or a number, which is JSON text in CSV, or a word; None where there is nothing."""
    try:
        content = json.loads(value) if isinstance(value, str) and value else value
    except json.JSONDecodeError:
        content = value
    return None if content in (None, "", []) else content
