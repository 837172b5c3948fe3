"""Files with a ground truth before each answer: `Ground truth: … || Model output: …`, one file per patient.

An answer goes on until the next ground truth, over as many lines as it has. Points are (row, column); (-1, -1) in a
truth says that the slice has no tumour. What was asked is told by the truth: one digit is a grade, a `bbox` beside a
centre is a centre, four points are a box, more are a polygon.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.frame import Plane, SliceFrame, slice_frame
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.numbering import file_of_each, missing_numbers
from gliobench.replay.text import line_of, read_text, subject_name
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Box, Grade, Polygon, Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.polygon import POLYGON
from gliobench.tasks.registry import TASKS

SIZE_PX = 128  # of the study's slices
START = re.compile(r"^(?=Ground truth)", re.MULTILINE)
ANSWER = "|| Model output:"
POINT = re.compile(r"\((-?\d+),\s*(-?\d+)\)")
NO_TUMOUR = (-1, -1)


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix == ".txt" and bool(START.search(head))


def read(paths: Sequence[Path], task: str, plane: Plane) -> ExternalAnswers:
    """The answers of all files, one file per patient. Raises ReplayError naming file and line."""
    answers: list[ExternalAnswer] = []
    silent = []
    numbered = file_of_each(paths)
    for number, path in numbered.items():
        own = list(_answers(path, subject_name(number), task, plane))
        answers += own
        if not own:
            silent.append(subject_name(number))
    return ExternalAnswers(task, "truth lines", paths[0].parent, answers, tuple(silent), missing_numbers(numbered))


def _answers(path: Path, subject: str, task: str, plane: Plane) -> Iterator[ExternalAnswer]:
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
        frame = slice_frame(plane, index, (len(starts), SIZE_PX, SIZE_PX), (1.0, 1.0, 1.0))
        value = _truth(truth, task, frame, path, line)
        yield ExternalAnswer(subject, frame, value, answer.strip() or None, path, line)


def _truth(text: str, task: str, frame: SliceFrame, path: Path, line: int) -> Value | None:
    kind = TASKS[task].truth_task
    if kind is GRADE:
        digit = re.search(r":\s*([01])\s*$", text.strip())
        if digit is None:
            raise ReplayError(f"{path}:{line}: the truth of a grade is 0 or 1, found {text.strip()[:60]!r}")
        return Grade(HGG if digit[1] == "1" else LGG)
    if kind not in (BOX, POLYGON):
        raise ReplayError(f"{path}:{line}: a ground truth before each answer is known of no {task}: give a table")
    where = text.partition("bbox")[2] if task == CENTRE.name else text
    points = [(int(row), int(column)) for row, column in POINT.findall(where)]
    if not points:
        needed = "a `bbox` of points" if task == CENTRE.name else "points"
        raise ReplayError(f"{path}:{line}: the truth of a {task} needs {needed}, found {text.strip()[:60]!r}")
    real = [point for point in points if point != NO_TUMOUR]
    if not real:
        return None
    if kind is POLYGON:
        return Polygon(frame, tuple((float(row), float(column)) for row, column in real))
    if len(points) != 4:
        raise ReplayError(f"{path}:{line}: a {task}'s truth has four corners, found {len(points)} points")
    rows, columns = zip(*real, strict=True)
    return Box(frame, min(rows), min(columns), max(rows), max(columns))
