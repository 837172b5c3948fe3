"""The answers that count: those to the questions a study asks now, out of everything ever recorded."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import KEYS, DamagedError, read_json, read_keys, write_json, write_keys
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.state.context import Context, Round, StageError
from gliobench.study.state.folder import fingerprint
from gliobench.tasks.registry import TASKS, plain

if TYPE_CHECKING:
    from gliobench.scoring.score import Item

ROUNDS = "rounds"  # in a list of questions about validation patients: how many each round has


def write_asked(
    context: Context,
    model: str,
    asked: Iterable[str],
    repeated: Iterable[str],
    validation: Sequence[Sequence[str]],
    controls: Sequence[str] | None = None,
) -> None:
    """Note which keys a model has been asked, in order; written when all of them are answered.

    `repeated`: those that repeat one of `asked` with another seed. Only consistency looks at them. `validation`: those
    about validation patients, round by round. Only the aggregation of grades and the choice of who stands for a camp
    look at them. `controls`: those about changed images; None where the study asks none. All of it is about the
    patients whom `context` tests.
    """
    if controls is not None:
        write_keys(context.folder.controls(model), controls)
    write_keys(context.folder.tested(model), context.tested)
    keys = [key for of_round in validation for key in of_round]
    write_json(context.folder.validation(model), {KEYS: keys, ROUNDS: [len(of_round) for of_round in validation]})
    write_keys(context.folder.repeated(model), repeated)
    write_keys(context.folder.asked(model), asked)


def question_lists(context: Context, model: str) -> tuple[Path, ...]:
    """All lists that `write_asked` writes for a model of the study; it has been asked when they are there."""
    return context.folder.question_lists(model, controls=context.study.controls is not None)


def read_list(path: Path) -> list[str]:
    """One of the lists that `write_asked` wrote. Raises StageError where it is missing or damaged."""
    try:
        return read_keys(path)
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing: run `gliobench predict` (it resumes)") from error
    except DamagedError as error:
        raise StageError(f"{error}: run `gliobench predict`, which rebuilds it and reuses all answers") from error


def answers_digest(context: Context, model: str) -> str:
    """SHA-256 of all that a model answers to the study as it stands. Raises StageError as `current_answers` does."""
    context = context.where(model)
    folder = context.folder
    records = _records(context, model, folder.asked(model), folder.repeated(model), folder.validation(model))
    given = [one.probabilities for one in records if one.probabilities]
    found = [(one.key, one.kind, one.value, one.score, one.text) for one in records]
    return fingerprint(answers=found, **({"probabilities": given} if given else {}))


def known_digest(context: Context, model: str) -> str | None:
    """The digest of a model's answers; None before it has answered."""
    return answers_digest(context, model) if context.where(model).folder.asked(model).exists() else None


def current_answers(context: Context, model: str) -> list[Record]:
    """The records of a model that answer the study as it stands, in the order asked. Raises StageError before
    `predict` has finished with this model."""
    context = context.where(model)
    return _records(context, model, context.folder.asked(model))


def places(context: Context, model: str, plane: Plane) -> dict[str, list[Record]]:
    """By patient, what a model answered that can be drawn in a plane beside the study's region, and so not of another:
    places in its slices, or of the whole patient.
    Raises StageError as `current_answers` does."""
    found: dict[str, list[Record]] = {}
    for record in current_answers(context, model):
        if TASKS[record.task].has_place and record.task == plain(record.task) and record.plane in (None, plane):
            found.setdefault(record.subject, []).append(record)
    return found


def repeated_answers(context: Context, model: str) -> list[Record]:
    """The records of the questions that were put to a model again. Raises StageError as `current_answers` does."""
    return _records(context, model, context.folder.repeated(model))


def control_answers(context: Context, model: str) -> list[Record]:
    """The records of the questions about changed images. Raises StageError as `current_answers` does."""
    return _records(context, model, context.folder.controls(model))


def validation_answers(context: Context, model: str, round: Round | None = None) -> list[Record]:
    """The records of the questions about validation patients, of one round or of all. Raises StageError as
    `current_answers` does."""
    path = context.folder.validation(model)
    records = _records(context, model, path)
    counts = _counts(path)
    if round is None or counts is None:
        return records
    place = context.rounds.index(round)
    return records[sum(counts[:place]) : sum(counts[: place + 1])]


def _counts(path: Path) -> list[int] | None:
    """How many questions about validation patients each round has; None where an earlier version wrote the list."""
    try:
        found: list[int] | None = read_json(path).get(ROUNDS)
    except DamagedError:  # a plain list; other damage is found with the keys
        return None
    return found


def answered_items(context: Context, subject: PreparedSubject, records: Sequence[Record]) -> Iterator["Item"]:
    """What is scored: the typed answers of records about one patient."""
    from gliobench.scoring.score import Item

    arrays = Arrays(context.folder.masks)
    for record in records:
        frame = None
        if record.plane is not None and record.index is not None:
            frame = subject.frame(record.plane, record.index)
        answer = record_answer(record, subject, arrays)
        yield Item(record.model, record.task, frame, answer, record.score, record.probabilities)


def _records(context: Context, model: str, *lists: Path) -> list[Record]:
    """The records of the keys in `lists`, in their order."""
    if not all(path.exists() for path in lists):
        raise StageError(f"{model} has not answered everything yet: run `gliobench predict` (it resumes)")
    keys = [key for path in lists for key in read_list(path)]
    found = context.answers(model).records()
    if absent := [key for key in keys if key not in found]:
        raise StageError(
            f"{context.folder.answers(model)}: {len(absent)} of {len(keys)} answers are gone. Put the file back from a "
            f"copy, or run `gliobench repair {context.folder.root}`: the next run asks those again, and no other"
        )
    return [found[key] for key in keys]
