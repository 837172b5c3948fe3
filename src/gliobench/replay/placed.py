"""The reference study's raw answers on prepared patients: whose they are, and about which slices.

Its files count patients and lines. The patients are the study's own test patients in its order; the slices are told by
the truth that stands beside the answers, which has to be that of the patient on the grid: the grade, and the boxes or
polygons of label 1 (what the study took for the tumour). An answer whose truth is another one is not taken.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.reference_study import tested_patients
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import file_digest
from gliobench.replay.answers import AnswersFile
from gliobench.replay.external import NOTHING_CAME, ExternalAnswer, ExternalAnswers, Place
from gliobench.replay.text import subject_name
from gliobench.replay.windows import region_boxes
from gliobench.tasks.answer import Missing
from gliobench.tasks.box import BOX
from gliobench.tasks.geometry import Box, Grade, Polygon
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

TARGET = 1  # label of the study's targets: necrotic and non-enhancing core
TRIM = 20  # slices at either end of the tumour about which the fine-tuned grade models were not asked


def external_of(external: ExternalAnswers) -> dict[str, list[ExternalAnswer]]:
    """The first answer to every input, by the patient's BraTS id."""
    ids = {subject_name(number): id for number, id in enumerate(tested_patients())}
    return {ids[name]: answers for name, answers in external.firsts.items() if name in ids}


def digest_of(external: ExternalAnswers) -> str:
    """Of the names and bytes of all files in which answers stand."""
    whole = hashlib.sha256()
    for path in sorted({answer.path for answer in external.answers}):
        whole.update(f"{path.name} {file_digest(path)}\n".encode())
    return whole.hexdigest()


def placed(external: ExternalAnswers, subjects: Mapping[str, PreparedSubject]) -> AnswersFile:
    """The answers about those of the prepared patients whom the study tested; whose cannot be placed is said."""
    found: dict[Place, ExternalAnswer] = {}
    remarks = []
    for id, answers in external_of(external).items():
        if id not in subjects:
            continue
        firsts = _firsts(external, answers, subjects[id])
        if len(firsts) != 1:
            why = "fit in several places" if firsts else "do not have the patient's truth on this grid"
            remarks.append(f"the {len(answers)} answers about {id} ({answers[0].path.name}) {why}, and are left out")
            continue
        for index, answer in enumerate(answers, start=firsts[0]):
            own = replace(answer, subject=id, plane="axial", index=index, shape=answer.frame.shape)
            found[own.place] = own if own.text else replace(own, answer=Missing(NOTHING_CAME))
    return AnswersFile(found, digest_of(external), tuple(remarks))


def _firsts(external: ExternalAnswers, answers: Sequence[ExternalAnswer], subject: PreparedSubject) -> list[int]:
    """Every slice of the grid that can be the first of these, which follow each other."""
    if subject.labels is None:
        return []
    if external.task == GRADE.name:
        return _first_of_grade(external, answers, subject)
    target = np.asarray(subject.labels) == TARGET
    fits = _boxes_fit if TASKS[external.task].truth_task is BOX else _polygons_fit
    return [
        first
        for first in range(len(target) - len(answers) + 1)
        if answers[0].frame.shape == target.shape[1:] and fits(answers, target[first : first + len(answers)])
    ]


def _first_of_grade(
    external: ExternalAnswers, answers: Sequence[ExternalAnswer], subject: PreparedSubject
) -> list[int]:
    """The general model was asked about all slices of the tumour, which its files number; the others without `TRIM`."""
    slices = np.flatnonzero(subject.tumour.any(axis=(1, 2)))
    trim = 0 if external.layout.startswith("slice") else TRIM
    first, count = int(slices[0]) + trim, int(slices[-1]) - int(slices[0]) + 1 - 2 * trim
    numbers = [answer.frame.index for answer in answers]
    begin = first if trim == 0 else 0
    right = answers[0].truth == Grade(-1 if subject.grade is None else subject.grade)
    return [first] if right and numbers == list(range(begin, begin + count)) else []


def _boxes_fit(answers: Sequence[ExternalAnswer], target: NDArray[np.bool_]) -> bool:
    return all(found == _edges(answer.truth) for found, answer in zip(region_boxes(target), answers, strict=True))


def _edges(truth: object) -> tuple[float, float, float, float] | None:
    return (truth.row_min, truth.column_min, truth.row_max, truth.column_max) if isinstance(truth, Box) else None


def _polygons_fit(answers: Sequence[ExternalAnswer], target: NDArray[np.bool_]) -> bool:
    """Whether all corners lie on the target, and none is where there is no target."""
    return all(
        pixels[tuple(np.array(answer.truth.points, int).T)].all()
        if isinstance(answer.truth, Polygon)
        else not pixels.any()
        for pixels, answer in zip(target, answers, strict=True)
    )
