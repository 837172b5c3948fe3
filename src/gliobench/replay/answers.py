"""Answers to the questions of a study: about slices, or about whole patients, of one or several readers.

A table (`gliobench.replay.rows`) with `subject`, `task` and `answer`, and of slices also `plane` and `slice` (the index
on the study's grid); or a folder of masks, `<patient>.nii.gz`. The answers that a run of gliobench left
(`answers/<model>.jsonl`) are a table of slices with names of their own. It holds every answer ever given; which of them
count, the lists of keys beside it say.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gliobench.cohort.formats.stored import VolumeError, read_bytes
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.integrity import DamagedError, read_keys
from gliobench.records.record import FAILURES, is_sound
from gliobench.replay.errors import ReplayError, TornLineError
from gliobench.replay.external import NOTHING_CAME, ExternalAnswer, Place, by_place
from gliobench.replay.rows import READERS, Row, answer_of
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing, Refused, Truncated
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.registry import task_about

OF_SLICES = ("subject", "task", "plane", "slice", "answer")
OF_PATIENTS = ("subject", "task", "answer")
PATIENT_TASKS = (GRADE.name, MASK.name)
OF_RECORDS = {"slice": "index", "answer": "text", "probability": "score"}
LISTS = (".asked.json", ".repeated.json")  # beside a file of records, for its ending: the keys of those that count
MASK_FILE = ".nii.gz"


@dataclass(frozen=True)
class AnswersFile:
    """The answers by what was asked; the digest of all that decides them; what there is to say of the file. `reader`:
    who gave them, of several."""

    answers: Mapping[Place, ExternalAnswer]
    digest: str
    remarks: tuple[str, ...] = ()
    reader: str | None = None


def read_answers(path: Path, problem: Problem = GLIOMA) -> AnswersFile:
    """Read a file of answers about slices. Raises ReplayError naming file and line."""
    lists = [one for one in (path.with_suffix(ending) for ending in LISTS) if one.is_file()]
    digest = _digest([path, *lists])
    rows, remarks = _rows(path, lists)
    if missing := [name for name in ("plane", "slice") if rows and name not in rows[0][1]]:
        raise ReplayError(
            f"{path}:{rows[0][0]}: no column {', '.join(missing)}; a table about whole patients is named in `patients:`"
        )
    found = [_answer(row, path, line, problem) for line, row in rows]
    remedy = "number the answers to one question in a column `repeat`"
    if any(_is_record(row) for _, row in rows):
        names = " and ".join(path.with_suffix(ending).name for ending in LISTS)
        remedy = f"which of them counts, {names} say, which its run writes beside it when it ends: put them there"
    return AnswersFile(_by_place(path, found, remedy), digest, remarks)


def read_patients(path: Path, problem: Problem = GLIOMA) -> list[AnswersFile]:
    """Read a table of answers about whole patients, the answers of each reader by themselves, in the order of the file.

    The file of a mask is taken from where the table lies. Raises ReplayError naming file and line.
    """
    _check_ending(path)
    by_reader: dict[str | None, list[ExternalAnswer]] = {}
    for line, row in READERS[path.suffix](path):
        answer = _of_patient(answer_of(row, path, line, OF_PATIENTS, problem), problem)
        by_reader.setdefault(answer.reader, []).append(answer)
    if None in by_reader and len(by_reader) > 1:
        raise ReplayError(f"{by_reader[None][0].where}: nothing in the column `reader`, which other rows have")
    every = [answer for answers in by_reader.values() for answer in answers]
    masks = dict.fromkeys(Path(one.text) for one in every if one.task == MASK.name and one.text)
    digest = _digest([path, *masks])
    remedy = "keep one, or say who gave each in a column `reader`"
    return [
        AnswersFile(_by_place(path, answers, remedy), digest, tuple(_unread(answers)), reader)
        for reader, answers in by_reader.items()
    ] or [AnswersFile(_by_place(path, [], remedy), digest)]


def read_masks(folder: Path) -> AnswersFile:
    """The masks of whole patients in a folder, `<patient>.nii.gz`. Raises ReplayError where there is none."""
    if not folder.is_dir():
        raise ReplayError(f"masks: the folder {folder} does not exist")
    paths = sorted(folder.glob(f"[!.]*{MASK_FILE}"))
    if not paths:
        raise ReplayError(f"masks: no <patient>{MASK_FILE} in {folder}")
    found = [ExternalAnswer(path.name.removesuffix(MASK_FILE), MASK.name, str(path), path, 1) for path in paths]
    return AnswersFile(by_place(found, "keep one"), _digest(paths))


def _check_ending(path: Path) -> None:
    if path.suffix not in READERS:
        raise ReplayError(f"{path}: expected a table of answers: {', '.join(f'*{one}' for one in READERS)}")


def _digest(paths: list[Path]) -> str:
    """Of the names and bytes of files. Raises ReplayError for one that cannot be read."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            whole.update(f"{path.name} {hashlib.sha256(read_bytes(path)).hexdigest()}\n".encode())
        except (OSError, VolumeError) as error:
            raise ReplayError(f"{path}: cannot be read ({error})") from error
    return whole.hexdigest()


def _by_place(path: Path, answers: list[ExternalAnswer], remedy: str) -> dict[Place, ExternalAnswer]:
    if not answers:
        raise ReplayError(f"{path}: no row in it")
    return by_place(answers, remedy)


def _of_patient(given: ExternalAnswer, problem: Problem) -> ExternalAnswer:
    """An answer about a whole patient, its class read, its mask's path whole. Raises ReplayError."""
    if given.plane is not None or given.index is not None:
        raise ReplayError(f"{given.where}: it is about a slice: a table of answers about slices is named in `answers:`")
    if given.task not in PATIENT_TASKS:
        raise ReplayError(
            f"{given.where}: task {given.task!r} is asked about slices: of a whole patient {' or '.join(PATIENT_TASKS)}"
        )
    if given.text is None:
        return replace(given, answer=Missing(NOTHING_CAME))
    if given.task == MASK.name:
        file = given.path.parent / given.text
        if not file.is_file():
            raise ReplayError(f"{given.where}: the mask {file} is not there: give its path, from the table's folder")
        return replace(given, text=str(file))
    return replace(given, answer=_class(given.text, problem))


def _class(text: str, problem: Problem) -> Answer:
    """The class that a table names or numbers, or else that a text states."""
    task = task_about(problem, GRADE.name)
    try:
        return Answered(task.of_plain(text.strip(), None))
    except ValueError:
        return task.parse(text, ExternalAnswer("", task.name, text, Path(), 0, "axial", 0).frame, False)


def _unread(answers: list[ExternalAnswer]) -> Iterator[str]:
    unread = [one for one in answers if isinstance(one.answer, Malformed | Refused | Truncated)]
    if unread:
        first = unread[0]
        yield f"{len(unread)} answers state no class and count as wrong, the first {first.text!r} in {first.where}"


def _rows(path: Path, lists: list[Path]) -> tuple[list[tuple[int, Row]], tuple[str, ...]]:
    """The rows that count, under the names of a table, and what was left out.

    Raises ReplayError for records of a model that writes nothing.
    """
    _check_ending(path)
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


def _answer(row: Row, path: Path, line: int, problem: Problem) -> ExternalAnswer:
    """An answer about a slice; without text what its record says, such as a server's refusal, or Missing."""
    answer = answer_of(row, path, line, OF_SLICES, problem)
    if answer.text is not None:
        return answer
    kind = FAILURES.get(row["kind"]) if _is_record(row) else None
    return replace(answer, answer=kind(str(row.get("reason") or "")) if kind else Missing(NOTHING_CAME))
