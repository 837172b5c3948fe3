"""One patient before inference: the slice, its truth, and what each language model will be shown."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import named
from gliobench.grid.frame import INDEX_AXIS, Plane, SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice, select_slices
from gliobench.grid.store import prepare_cohort
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import answer_text, question_text
from gliobench.models.views.view import View
from gliobench.report.look import Asked, Look, SeenBy, write_look
from gliobench.study.asking.questions import can_be_asked, largest_slice, true_answer
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.showing.outlines import file_name
from gliobench.study.stages.prepare import recipe
from gliobench.study.state.context import Context, StageError, check_apart, check_writable
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS, task_words


def look(
    context: Context,
    subject_id: str,
    *,
    plane: Plane | None = None,
    index: int | None = None,
    models: Collection[str] | None = None,
    to: Path | None = None,
) -> Path:
    """Write the page of one patient and return its path; of all patients, this one alone is prepared.

    `plane`: else the study's first. `index`: of the slice; else the one with most of the target, and without a mask
    the middle one of the body. `models`: else all that are asked in words. Raises StageError for a patient, slice or
    model that is not there, CohortError for a patient who cannot be used.
    """
    parts = _spoken(context, models)
    subject = _prepared(context, subject_id)
    frame = _frame(subject, plane or context.study.slices.planes[0], index)
    path = to or context.folder.root / "look" / file_name(subject.id, f"{frame.plane}-{frame.index}", "html")
    check_writable("--to", path.parent)
    check_apart(context.cohort, path)
    truth = _places(subject, frame)
    write_look(
        Look(
            study=context.study.name,
            subject=subject.id,
            grade=subject.grade,
            frame=frame,
            modalities={name: grey_slice(subject, name, frame.plane, frame.index) for name in subject.problem.names},
            truth=truth,
            words={task: _words(task, value) for task, value in truth.items()},
            models=[_seen_by(context, config, subject, frame) for config in parts],
            notes=list(_notes(subject, truth)),
            problem=subject.problem,
        ),
        path,
    )
    return path


def _spoken(context: Context, models: Collection[str] | None) -> list[ModelConfig]:
    found = [config for config in context.study.models if config.spoken_tasks]
    names = [config.name for config in found]
    if unknown := sorted(set(models or ()) - set(names)):
        raise StageError(f"{', '.join(unknown)} is not a language model; the study has {', '.join(names) or 'none'}")
    return [config for config in found if not models or config.name in models]


def _prepared(context: Context, id: str) -> PreparedSubject:
    """The patient on the study's grid: from the store, or made now and left there for `prepare`."""
    cohort = find_cohort(context.cohort, context.study.problem)
    one = tuple(subject for subject in cohort.subjects if subject.id == id)
    faults = tuple(fault for fault in cohort.faults if fault.subject_id == id)
    if not one and not faults:
        raise StageError(f"{cohort.root} has no patient {id}; it has {named([one.id for one in cohort.subjects])}")
    alone = replace(cohort, subjects=one, faults=faults)
    (subject,), _ = prepare_cohort(alone, recipe(context.study), context.store, workers=1)
    return subject


def _frame(subject: PreparedSubject, plane: Plane, index: int | None) -> SliceFrame:
    slices = subject.shape[INDEX_AXIS[plane]]
    if index is None and subject.labels is not None:
        return subject.frame(plane, largest_slice(subject, plane, range(slices)))
    if index is None:
        brain = select_slices(subject, plane, "brain") or [slices // 2]
        return subject.frame(plane, brain[len(brain) // 2])
    if not 0 <= index < slices:
        raise StageError(f"{subject.id} has no {plane} slice {index}: they go from 0 to {slices - 1}")
    return subject.frame(plane, index)


def _places(subject: PreparedSubject, frame: SliceFrame) -> dict[str, Value]:
    """The truth of every task that names a place, from coarse to fine; none without a mask or a tumour."""
    if subject.labels is None:
        return {}
    found = {task: true_answer(subject, task, frame) for task, known in TASKS.items() if known.has_place}
    return {task: value for task, value in found.items() if value is not None}


def _words(task: str, value: Value) -> str:
    return f"{np.count_nonzero(value.pixels)} pixels" if isinstance(value, Mask) else TASKS[task].write(value)


def _notes(subject: PreparedSubject, truth: dict[str, Value]) -> Iterator[str]:
    if subject.labels is None:
        yield "The patient has no mask: no true place is known, and no centre, box, polygon or mask is asked."
    elif not truth:
        yield f"There is no {subject.problem.finding_words} in this slice."
    yield from subject.findings.notes


def _seen_by(context: Context, config: ModelConfig, subject: PreparedSubject, frame: SliceFrame) -> SeenBy:
    view, prompts = config.picture, config.prompts_of(context.study.asked_region)
    assert view is not None
    tasks = [task for task in context.study.tasks if task in config.spoken_tasks]
    asked = []
    for task in tasks:
        if can_be_asked(subject, task):
            question = Question(subject, task, frame)
            text = question_text(question, prompts.get(task, TASKS[task].prompt), view)
            answer = answer_text(question, true_answer(subject, task, frame), view)
            asked.append(Asked(task_words(task, subject.problem), text, answer))
    picture = view.render(Question(subject, GRADE.name, frame))  # the task changes nothing of it
    return SeenBy(
        config.name,
        picture,
        asked,
        list(_remarks(config, view, [task_words(task, subject.problem) for task in tasks], asked)),
    )


def _remarks(config: ModelConfig, view: View, tasks: Sequence[str], asked: Sequence[Asked]) -> Iterator[str]:
    if shots := getattr(config, "shots", 0):
        slices = "1 slice of a training patient" if shots == 1 else f"{shots} slices of training patients"
        yield f"Before every question it is shown {slices} with the true answer."
    if not view.coordinates.as_asked:
        yield "It has its own coordinate convention; true answers are shown in the one that the prompt asks for."
    if unasked := [task for task in tasks if task not in {one.task for one in asked}]:
        yield f"Not asked, because the truth is unknown: {', '.join(unasked)}."
