"""A run's own answers to one task beside their truths, for `gliobench replay`: texts from the records, truths from the
prepared patients."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.errors import GliobenchError
from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.store import open_subject
from gliobench.records.errors import RecordError
from gliobench.records.record import Record, record_answer
from gliobench.records.store import lines_of
from gliobench.records.value import Arrays
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers
from gliobench.study.asking.answers import read_list
from gliobench.study.state.context import read_prepared
from gliobench.study.state.folder import StudyFolder
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.coordinates import AS_ASKED
from gliobench.tasks.geometry import Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS, task_about

LAYOUT = "a run's own records"
STUDY_PX = (128, 128)


def run_of(source: Path) -> StudyFolder | None:
    """The run folder whose records `source` is, `RUN/answers/MODEL.jsonl`; None where it is anything else."""
    if source.suffix != ".jsonl" or source.absolute().parent.name != "answers":
        return None
    folder = StudyFolder(source.parent.parent)
    return folder if folder.prepared.exists() or folder.asked(source.stem).exists() else None


def read_own(
    source: Path, task: str, plane: Plane, *, published: bool, store: Path | None = None, problem: Problem = GLIOMA
) -> ExternalAnswers:
    """The answers of a run to `task` in one plane, with truths from its prepared patients, in `store` or its own.
    `problem`: that of its study.

    `published`: to be scored as the reference study did, which reads the texts as they stand: refused where they count
    otherwise than in the slice's own pixels. Raises GliobenchError: patients that are gone or others than were asked
    about, records that are damaged or gone, a task or plane that was not asked, a model that writes no text.
    """
    folder = run_of(source)
    assert folder is not None
    numbered = _records(source, folder)
    own = [(line, record) for line, record in numbered if record.task == task]
    if not own:
        tasks = ", ".join(dict.fromkeys(record.task for _, record in numbered)) or "nothing"
        raise ReplayError(f"{source}: {source.stem} was not asked for {task}: it was asked for {tasks}")
    planes = list(dict.fromkeys(record.plane for _, record in own))
    if None in planes:
        raise ReplayError(
            f"{source}: {source.stem} was asked for {task} about whole patients: a replay is of texts about slices"
        )
    if plane not in planes:
        raise ReplayError(
            f"{source}: {source.stem} was asked for {task} in no {plane} slice: "
            f"give --plane {' or '.join(map(str, planes))}"
        )
    prepared = _subjects(source, folder, store or folder.root / "grid", [record for _, record in own])
    subjects = {id: _about(problem, subject, source) for id, subject in prepared.items()}
    arrays = Arrays(folder.masks)
    answers = [
        _held(source, line, record, subjects[record.subject], arrays) for line, record in own if record.plane == plane
    ]
    if published:
        _check_frames(task, answers)
    remarks = tuple(_remarks(task, problem, answers, planes, published))
    return ExternalAnswers(task, LAYOUT, source.parent, answers, remarks=remarks, problem=problem)


def _records(source: Path, folder: StudyFolder) -> list[tuple[int, Record]]:
    """The records of the questions that count, each with its line, in the order asked."""
    keys = [key for path in (folder.asked(source.stem), folder.repeated(source.stem)) for key in read_list(path)]
    found: dict[str, tuple[int, Record]] = {}
    try:
        for line in lines_of(source):
            if isinstance(line.found, str):
                raise ReplayError(
                    f"{source}:{line.number}: {line.found}: put the file back from a copy, or run `gliobench repair "
                    f"{folder.root}`"
                )
            found[line.found.key] = (line.number, line.found)
    except FileNotFoundError as error:
        raise ReplayError(f"{source} does not exist: run `gliobench predict` first") from error
    if gone := [key for key in keys if key not in found]:
        raise ReplayError(
            f"{source}: {len(gone)} of {len(keys)} answers are gone: put the file back from a copy, or run "
            f"`gliobench repair {folder.root}` and the study again"
        )
    return [found[key] for key in keys]


def _subjects(source: Path, folder: StudyFolder, store: Path, records: Sequence[Record]) -> dict[str, PreparedSubject]:
    """The prepared patients of the records, by id. Raises ReplayError where they are gone, or others."""
    contents = {entry["id"]: entry["content"] for entry in read_prepared(folder)["subjects"]}
    asked = {record.subject: record for record in records}
    for id, record in asked.items():
        if id not in contents or record.content not in (None, contents[id]):
            what = "is not among the patients" if id not in contents else "has other images than those"
            raise ReplayError(
                f"{source}: {id} {what} that {folder.prepared} names: these records are another study's, or "
                "the run was prepared again since: run the study again"
            )
    try:
        return {id: open_subject(store / contents[id]) for id in asked}
    except GliobenchError as error:
        raise ReplayError(
            f"{error}. The truths of {source} come from the prepared patients: give their folder with --store, as it "
            "was given to `gliobench run`, or run `gliobench prepare` again"
        ) from error


def _about(problem: Problem, subject: PreparedSubject, source: Path) -> PreparedSubject:
    """A prepared patient in a study of a problem, which the run does not name."""
    found, expected = len(subject.image), len(problem.images)
    if found != expected:
        raise ReplayError(
            f"{source}: {subject.id} has {found} images in the prepared patients, and the problem {problem.name} has "
            f"{expected}: give the problem of the run's study with --problem"
        )
    return replace(subject, problem=problem)


def _held(source: Path, line: int, record: Record, subject: PreparedSubject, arrays: Arrays) -> ExternalAnswer:
    assert record.plane is not None
    assert record.index is not None
    frame = subject.frame(record.plane, record.index)
    if record.kind == "answered" and record.text is None:
        raise ReplayError(f"{source}:{line}: {record.model} writes no text that could be read again")
    try:
        answer = record_answer(record, subject, arrays)
    except RecordError as error:
        raise ReplayError(f"{source}:{line}: {error}") from error
    return ExternalAnswer(
        *(record.subject, record.task, record.text, source, line, record.plane, record.index, record.repeat),
        truth=_truth(source, record, subject),
        answer=answer,
        shape=frame.shape,
        spacing_mm=frame.spacing_mm,
        gap_mm=subject.spacing_mm[INDEX_AXIS[record.plane]],
    )


def _truth(source: Path, record: Record, subject: PreparedSubject) -> Value | None:
    assert record.plane is not None
    assert record.index is not None
    task = task_about(subject.problem, record.task).truth_task
    if not task.has_truth(subject):
        raise ReplayError(
            f"{source}: {subject.id} has not {task.truth_words} in the prepared patients, and was asked for "
            f"{record.task}"
        )
    return task.truth(subject, subject.frame(record.plane, record.index))


def _check_frames(task: str, answers: Sequence[ExternalAnswer]) -> None:
    """Raise ReplayError where a text means something else in the slice's own pixels than the run made of it."""
    for external in answers:
        said = external.answer
        if not TASKS[task].has_place or not isinstance(said, Answered) or external.text is None:
            continue
        if not _same(TASKS[task].parse(external.text, external.frame, False, AS_ASKED), said):
            raise ReplayError(
                f"{external.path}:{external.line}: {external.subject} was answered in other pixels than the slice's "
                "own, or in another order (`view:` of the study): the published protocol reads a text as it stands, "
                "and so wrongly. Use --protocol standard"
            )


def _same(read: Answer, said: Answered) -> bool:
    return isinstance(read, Answered) and read.value == said.value


def _remarks(
    task: str, problem: Problem, answers: Sequence[ExternalAnswer], planes: Sequence[Plane | None], published: bool
) -> list[str]:
    """What a reader has to know of the figures of a run's own answers."""
    frames = [answer.frame for answer in answers]
    sizes = ", ".join(sorted({"{} x {} px".format(*frame.shape) for frame in frames}))
    widths = sorted(chain.from_iterable(frame.spacing_mm for frame in frames))
    width = " to ".join(dict.fromkeys(f"{one:.2f}" for one in (widths[0], widths[-1])))
    found = [f"Slices of {sizes}, {width} mm a pixel; truths from the run's prepared patients."]
    if task == GRADE.name:
        found.append(f"A patient's {problem.asked} is what most slices say, whatever `aggregate:` of the study says.")
    if published and TASKS[task].has_area and any(answer.frame.shape != STUDY_PX for answer in answers):
        found.append(
            "The published arithmetic is made for 128 x 128 px at 1 mm: an empty mask is 128 px away in it, whatever "
            "the size of the slice."
        )
    if others := [str(other) for other in planes if other != answers[0].frame.plane]:
        found.append(f"{answers[0].frame.plane} slices only; it was asked in {' and '.join(others)} too: see --plane.")
    return found
