"""Which questions a study puts to a model: the test patients, their slices, and the tasks that have a truth."""

from collections.abc import Iterator, Sequence

import numpy as np

from gliobench.grid.frame import Plane, SliceFrame, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import select_slices
from gliobench.models.base.prediction import Question
from gliobench.study.asking.external import external_slices
from gliobench.study.asking.masks import predicted_masks
from gliobench.study.config.study import ConsistencyConfig
from gliobench.study.state.context import Context
from gliobench.tasks.geometry import Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS, task_about, task_words


def can_be_asked(subject: PreparedSubject, task: str) -> bool:
    """Whether the subject has a truth for the task: a grade, or a mask."""
    return TASKS[task].has_truth(subject)


def true_answer(subject: PreparedSubject, task: str, frame: SliceFrame) -> Value | None:
    """The true answer about a slice, in its own pixels; None where it has no tumour. For a subject that
    `can_be_asked`."""
    return TASKS[task].truth(subject, frame)


def without_truth(subjects: Sequence[PreparedSubject], tasks: Sequence[str]) -> Iterator[str]:
    """A sentence for each task that some patients cannot be asked about."""
    for task in tasks:
        absent = [subject.id for subject in subjects if not can_be_asked(subject, task)]
        if absent:
            needed = task_about(subjects[0].problem, task).truth_words
            shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            count = f"{len(absent)} of {len(subjects)} test patients"
            yield f"{task_words(task, subjects[0].problem)}: {count} have not {needed} and are not asked ({shown})"


def without_slices(context: Context) -> Iterator[str]:
    """A sentence for each plane in which `trim` leaves some test patients no slice to be asked about, and for each task
    to which there are no recorded answers about some, where these choose the slices."""
    config = context.study.slices
    for plane in config.planes:
        for task, by_patient in slices_of_tasks(context, plane).items():
            asked = task_words(task, context.study.problem)
            if none := [id for id in context.tested if not by_patient.get(id)]:
                shown = ", ".join(none[:5]) + (", …" if len(none) > 5 else "")
                yield (
                    f"{plane}: {asked}: about {len(none)} of {len(context.tested)} test patients there are no held "
                    f"answers; they stand in no figure of slices ({shown})"
                )
    for plane in config.planes if config.trim else ():
        slices = asked_slices(context, plane)
        none = [id for id, indices in slices.items() if not indices]
        if none:
            shown = ", ".join(none[:5]) + (", …" if len(none) > 5 else "")
            yield (
                f"{plane}: {len(none)} of {len(slices)} test patients have no slice left after `trim: {config.trim}`, "
                f"and stand in no figure of slices ({shown})"
            )


def asked_slices(
    context: Context, plane: Plane, ids: Sequence[str] | None = None, task: str | None = None, model: str | None = None
) -> dict[str, list[int]]:
    """Slice indices by patient, as the study selects them; of the test patients where no `ids` are given.

    They are the same for all tasks, but those of recorded answers: of `task` those that these are about; where no task
    is given, or one without recorded answers, of all tasks. `model`: whom they are put to; its own recorded answers to
    a grade, which slices give together, are all asked for.
    """
    config = context.study.slices
    if config.select == "external":
        external = _held(context, plane, task, model)
        return {id: external.get(id, []) for id in (context.tested if ids is None else ids)}
    found = predicted_masks(context, config.by) if config.by else {}
    slices = {}
    for id in context.tested if ids is None else ids:
        subject = context.subjects[id]
        if config.select == "oracle" and subject.labels is None:
            continue
        if config.select == "predicted" and id not in found:
            continue
        slices[id] = select_slices(
            subject,
            plane,
            config.select,
            every=config.every,
            min_area_px=config.min_area_px,
            trim=config.trim,
            predicted=found[id].voxels if id in found else None,
        )
    return slices


def _held(context: Context, plane: Plane, task: str | None, model: str | None) -> dict[str, list[int]]:
    """The slices of recorded answers by patient, as `asked_slices` says."""
    if task and (own := external_slices(context, task, plane, model if task == GRADE.name else None)):
        return own
    every: dict[str, set[int]] = {}
    for slices in slices_of_tasks(context, plane).values():
        for id, indices in slices.items():
            every.setdefault(id, set()).update(indices)
    return {id: sorted(indices) for id, indices in every.items()}


def slices_of_tasks(context: Context, plane: Plane) -> dict[str, dict[str, list[int]]]:
    """By task and patient the slices of recorded answers, where a study selects these; empty where it does not."""
    if context.study.slices.select != "external":
        return {}
    found = {task: external_slices(context, task, plane) for task in context.study.tasks}
    return {task: slices for task, slices in found.items() if slices}


def slice_questions(
    context: Context, ids: Sequence[str], tasks: Sequence[str], plane: Plane, model: str | None = None
) -> Iterator[Question]:
    """Questions about single slices, to the model of this name, patient by patient and task by task."""
    slices = {task: asked_slices(context, plane, ids, task, model) for task in tasks}
    for id in ids:
        subject = context.subjects[id]
        for task in tasks:
            if can_be_asked(subject, task):
                indices = slices[task].get(id, [])
                yield from (Question(subject, task, subject.frame(plane, index)) for index in indices)


def patient_questions(context: Context, ids: Sequence[str], tasks: Sequence[str]) -> Iterator[Question]:
    """Questions about whole patients."""
    for id in ids:
        for task in tasks:
            if can_be_asked(context.subjects[id], task):
                yield Question(context.subjects[id], task, None)


def repeated_questions(context: Context, config: ConsistencyConfig) -> Iterator[Question]:
    """The questions of `part` again: the second to the last time. The first time is among `slice_questions`."""
    plane = context.study.slices.planes[0]
    for id, index in repeated_places(context, config).items():
        subject = context.subjects[id]
        for repeat in range(1, config.repeats):
            yield Question(subject, config.task, subject.frame(plane, index), repeat)


def repeated_places(context: Context, config: ConsistencyConfig) -> dict[str, int]:
    """By patient, grades in turn, the slice of the first plane that is asked about again and again.

    Where the slices are chosen by the truth the one with most tumour, else the middle one of those asked about: the
    truth is used for no more than it is used for anyway.
    """
    plane = context.study.slices.planes[0]
    slices = {
        id: indices
        for id, indices in asked_slices(context, plane, task=config.task).items()
        if indices and can_be_asked(context.subjects[id], config.task)
    }
    subjects = in_turn([context.subjects[id] for id in slices])[: config.subjects]
    if context.study.slices.select == "oracle":
        return {subject.id: largest_slice(subject, plane, slices[subject.id]) for subject in subjects}
    return {subject.id: slices[subject.id][len(slices[subject.id]) // 2] for subject in subjects}


def in_turn(subjects: Sequence[PreparedSubject]) -> list[PreparedSubject]:
    """The subjects with their grades in turn, so that both are among the first."""
    grades = sorted({subject.grade for subject in subjects}, key=lambda grade: -1 if grade is None else grade)
    ranked = [
        (place, subject) for grade in grades for place, subject in enumerate(s for s in subjects if s.grade == grade)
    ]
    return [subject for _, subject in sorted(ranked, key=lambda pair: pair[0])]


def largest_slice(subject: PreparedSubject, plane: Plane, indices: Sequence[int]) -> int:
    """The index of the slice with most tumour; the first of them where several have as much."""
    tumour = subject.tumour
    return max(indices, key=lambda index: int(np.count_nonzero(take_slice(tumour, plane, index))))
