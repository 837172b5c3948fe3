"""Files with a line for each slice, and the patient's label at the end; one file per patient, classes only.

`Slice #3 => what was said`, where line breaks of the answer stand as `||`; `Tally: [LGG, HGG, none, unread]`;
`True Label: HGG || Prediction Label: …`. `Scan #: 8/220` counts the four modalities of each patient.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import Plane
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.replay.numbering import file_of_each, missing_numbers
from gliobench.replay.text import line_of, read_text, subject_name
from gliobench.scoring.votes import Votes
from gliobench.tasks.geometry import Grade
from gliobench.tasks.grade import GRADE

SLICE = re.compile(r"^Slice #(\d+) => ?(.*)$", re.MULTILINE)
TALLY = re.compile(r"^\W*Tally[^:\n]*:\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]", re.MULTILINE)
LABEL = re.compile(r"True Label:[ \t]*([^\n|]*[^\s|])")
SCAN = re.compile(r"^Scan #:\s*\d+/\d+", re.MULTILINE)
UNREAD = "ERROR: Unknown >>"  # the study's own mark before an answer that it could not read


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix == ".txt" and bool(SLICE.search(head))


def read(paths: Sequence[Path], task: str, plane: Plane, problem: Problem) -> ExternalAnswers:
    """The answers of all files. Raises ReplayError naming file and line."""
    if task != GRADE.name:
        raise ReplayError(
            f"{paths[0]}: a line for each slice and a label for the patient are {problem.classes_word}, not {task}"
        )
    texts = {path: read_text(path) for path in paths}
    modalities = len(problem.images) if any(SCAN.search(text) for text in texts.values()) else 1
    answers: list[ExternalAnswer] = []
    silent, tallies = [], {}
    numbered = file_of_each(paths, modalities)
    for number, path in numbered.items():
        subject = subject_name(number)
        own = _answers(path, texts[path], subject, plane, problem)
        answers += own
        if not own:
            silent.append(subject)
        if tally := _tally(texts[path], problem):
            tallies[subject] = tally
    return ExternalAnswers(
        task, "slice lines", paths[0].parent, answers, tuple(silent), missing_numbers(numbered), tallies
    )


def _tally(text: str, problem: Problem) -> Votes | None:
    """The votes that a file itself counts for its patient: each class, no target, unread."""
    found = TALLY.search(text)
    counts = [int(number) for number in found[1].split(",")] if found else []
    return Votes(tuple(counts[:-2]), counts[-2], counts[-1]) if len(counts) == problem.count + 2 else None


def _answers(path: Path, text: str, subject: str, plane: Plane, problem: Problem) -> list[ExternalAnswer]:
    lines = list(SLICE.finditer(text))
    labels = {match[1]: line_of(text, match.start()) for match in LABEL.finditer(text)}
    if not lines:
        return []
    if len(labels) != 1 or not labels.keys() <= set(problem.classes):
        where = ", ".join(f"{label} in line {line}" for label, line in labels.items()) or "none"
        expected = " or ".join(f"`True Label: {name}`" for name in problem.classes)
        raise ReplayError(f"{path}: one {expected} is expected, found {where}")
    truth = Grade(problem.classes.index(next(iter(labels))))
    answers = []
    for match in lines:
        index, line = int(match[1]), line_of(text, match.start())
        said = match[2].strip().removeprefix(UNREAD).replace("||", "\n").strip()
        answers.append(ExternalAnswer(subject, GRADE.name, said or None, path, line, plane, index, truth=truth))
    return answers
