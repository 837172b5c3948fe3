"""Files with a line for each slice, and the patient's label at the end; one file per patient, grades only.

`Slice #3 => what was said`, where line breaks of the answer stand as `||`; `Tally: [LGG, HGG, none, unread]`;
`True Label: HGG || Prediction Label: …`. `Scan #: 8/220` counts the four modalities of each patient.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.frame import Plane, slice_frame
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers, Tally
from gliobench.replay.numbering import file_of_each, missing_numbers
from gliobench.replay.text import line_of, read_text, subject_name
from gliobench.tasks.geometry import Grade
from gliobench.tasks.grade import GRADE

SLICE = re.compile(r"^Slice #(\d+) => ?(.*)$", re.MULTILINE)
TALLY = re.compile(r"^\W*Tally[^:\n]*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]", re.MULTILINE)
LABEL = re.compile(r"True Label:\s*(LGG|HGG)")
SCAN = re.compile(r"^Scan #:\s*\d+/\d+", re.MULTILINE)
UNREAD = "ERROR: Unknown >>"  # the study's own mark before an answer that it could not read
SIZE_PX = 128
NAMES = {"LGG": LGG, "HGG": HGG}


def recognises(path: Path, head: str) -> bool:
    """Whether a file has this form."""
    return path.suffix == ".txt" and bool(SLICE.search(head))


def read(paths: Sequence[Path], task: str, plane: Plane) -> ExternalAnswers:
    """The answers of all files. Raises ReplayError naming file and line."""
    if task != GRADE.name:
        raise ReplayError(f"{paths[0]}: a line for each slice and a label for the patient are grades, not {task}")
    texts = {path: read_text(path) for path in paths}
    modalities = len(GLIOMA.images) if any(SCAN.search(text) for text in texts.values()) else 1
    answers: list[ExternalAnswer] = []
    silent, tallies = [], {}
    numbered = file_of_each(paths, modalities)
    for number, path in numbered.items():
        subject = subject_name(number)
        own = _answers(path, texts[path], subject, plane)
        answers += own
        if not own:
            silent.append(subject)
        if tally := TALLY.search(texts[path]):
            tallies[subject] = Tally(*map(int, tally.groups()))
    return ExternalAnswers(
        task, "slice lines", paths[0].parent, answers, tuple(silent), missing_numbers(numbered), tallies
    )


def _answers(path: Path, text: str, subject: str, plane: Plane) -> list[ExternalAnswer]:
    lines = list(SLICE.finditer(text))
    labels = {match[1]: line_of(text, match.start()) for match in LABEL.finditer(text)}
    if not lines:
        return []
    if len(labels) != 1:
        where = ", ".join(f"{label} in line {line}" for label, line in labels.items()) or "none"
        raise ReplayError(f"{path}: one `True Label: LGG` or `HGG` is expected, found {where}")
    truth = Grade(NAMES[next(iter(labels))])
    deepest = max(int(match[1]) for match in lines)
    answers, seen = [], dict[int, int]()
    for match in lines:
        index, line = int(match[1]), line_of(text, match.start())
        if index in seen:
            raise ReplayError(f"{path}:{line}: slice {index} is duplicated, first in line {seen[index]}")
        seen[index] = line
        frame = slice_frame(plane, index, _volume(plane, deepest + 1), (1.0, 1.0, 1.0))
        said = match[2].strip().removeprefix(UNREAD).replace("||", "\n").strip()
        answers.append(ExternalAnswer(subject, frame, truth, said or None, path, line))
    return answers


def _volume(plane: Plane, slices: int) -> tuple[int, int, int]:
    """The shape (D, H, W) of a volume with so many slices of a plane."""
    return {
        "axial": (slices, SIZE_PX, SIZE_PX),
        "coronal": (SIZE_PX, slices, SIZE_PX),
        "sagittal": (SIZE_PX, SIZE_PX, slices),
    }[plane]
