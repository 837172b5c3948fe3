"""One answer as one line of JSON, keyed by everything that can change it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import TOLD, Prediction, Question, Settings, settings_for
from gliobench.records.errors import RecordError
from gliobench.records.value import Arrays, decode_value, encode_value
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing, Refused, Truncated

CHECK = "check"  # the last field of a line: 64 bits of BLAKE2b over the others

# Not in lines of earlier versions, nor where there is none.
LATER = frozenset({"probabilities", "time", "served", "prompt_tokens", "control"})
OFF = 1e-3  # by which probabilities may miss a sum of 1: half precision rounds to it

FAILURES: dict[str, type[Malformed | Refused | Truncated | Missing]] = {
    "malformed": Malformed,
    "refused": Refused,
    "truncated": Truncated,
    "missing": Missing,
}


@dataclass(frozen=True)
class Record:
    """A question, its answer and their key; the fields are those of `Question` and `Prediction`.

    `kind` is "answered" or one of `FAILURES`; `value` is plain JSON (see `gliobench.records.value`). `content`: digest
    of the image asked about; None in files of earlier versions. `oracle` names what the truth was used for when the
    input was made: "grid", "slices", "region", "prompt", "control", or nothing. `probabilities` only with more than two
    classes. `time`: when the answer came (UTC, ISO 8601, to the second). `served`: as which model a server says it
    answered. `prompt_tokens`: as the server counted them. `control`: which control altered the image asked about; None:
    it is the patient's own.
    """

    key: str
    model: str
    subject: str
    task: str
    plane: Plane | None
    index: int | None
    repeat: int
    oracle: tuple[str, ...]
    kind: str
    value: Mapping[str, Any] | None
    reason: str | None
    score: float | None
    text: str | None
    tokens: int | None
    finish: str | None
    seconds: float | None
    content: str | None = None
    probabilities: tuple[float, ...] | None = None
    time: str | None = None
    served: str | None = None
    prompt_tokens: int | None = None
    control: str | None = None

    def to_json(self) -> str:
        """One line, without a line break in it, that ends in a checksum of itself."""
        fields = {name: value for name, value in self.__dict__.items() if value is not None or name not in LATER}
        return _line({**fields, CHECK: _check(fields)})


def differs(one: Record, other: Record) -> bool:
    """Whether two records of one key give different answers, whenever and by whom they were given."""
    return any(
        getattr(one, name) != getattr(other, name) for name in ("kind", "value", "score", "probabilities", "text")
    )


def question_key(model: str, settings: Settings, question: Question) -> str:
    """SHA-256 over model, settings, task, slice, repeat, the image's content and what the model is told of the patient:
    same key, same answer."""
    frame = question.frame
    identity = {
        "model": model,
        "settings": dict(settings_for(settings, question.task)),
        "task": question.task,
        "slice": [frame.plane, frame.index] if frame else None,
        "repeat": question.repeat,
        "image": question.subject.content,
    }
    if problem := question.subject.problem.asked_digest:
        identity["problem"] = problem
    if told := settings.get(TOLD):  # else a corrected table would not be asked about again
        identity[TOLD] = {name: question.subject.variables.get(name) for name in json.loads(str(told))}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def now() -> str:
    """The time of a record."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_record(
    key: str, model: str, prediction: Prediction, oracle: tuple[str, ...], arrays: Arrays, time: str | None = None
) -> Record:
    """The record of a prediction. Masks go to `arrays`, everything else into the line itself.

    Raises RecordError for a value that is not a probability: results computed from it would look valid.
    """
    question, answer = prediction.question, prediction.answer
    _check_probabilities(model, prediction)
    answered = isinstance(answer, Answered)
    return Record(
        key=key,
        model=model,
        subject=question.subject.id,
        task=question.task,
        plane=question.frame.plane if question.frame else None,
        index=question.frame.index if question.frame else None,
        repeat=question.repeat,
        oracle=oracle,
        kind="answered" if answered else type(answer).__name__.lower(),
        value=encode_value(answer.value, key, arrays) if isinstance(answer, Answered) else None,
        reason=None if isinstance(answer, Answered) else answer.reason,
        score=prediction.score,
        text=prediction.text,
        tokens=prediction.tokens,
        finish=prediction.finish,
        seconds=prediction.seconds,
        content=question.subject.content,
        probabilities=prediction.probabilities,
        time=time,
        served=prediction.served,
        prompt_tokens=prediction.prompt_tokens,
        control=question.control or None,
    )


def _check_probabilities(model: str, prediction: Prediction) -> None:
    problem, found, expected = prediction.question.subject.problem, "", ""
    if prediction.score is not None and not math.isfinite(prediction.score):
        found = f"probability of {problem.classes[problem.positive_class]} {prediction.score}"
        expected = "0 to 1"
    elif (given := prediction.probabilities) is not None and not (
        len(given) == problem.count and min(given) >= 0 and abs(sum(given) - 1) < OFF
    ):
        found, expected = f"probabilities {list(given)}", f"{problem.count} that sum to 1"
    if found:
        raise RecordError(
            f"{model}, {prediction.question.subject.id}: {found}; expected {expected}. Train it again, with a lower "
            "learning rate if its loss is NaN, or load it in a higher precision"
        )


def parse_record(line: str) -> Record:
    """The record of one line; raises ValueError where the line is not a complete record, or its checksum does not
    match. A line without a checksum, from an earlier version, is accepted."""
    try:
        fields = json.loads(line)
        sound = bool(fields.pop(CHECK)) if _is_as_written(line) else is_sound(fields)
        given = fields.get("probabilities")
        tuples = {"oracle": tuple(fields["oracle"]), "probabilities": None if given is None else tuple(given)}
        record = Record(**{**fields, **tuples})
    except (TypeError, KeyError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"not a record: {error}") from error
    if not sound:
        raise ValueError("a damaged record: its checksum does not match")
    if record.kind != "answered" and record.kind not in FAILURES:
        raise ValueError(f"not a record: kind {record.kind!r}")
    return record


def is_sound(fields: dict[str, Any]) -> bool:
    """Whether the checksum of a line matches its fields; removes the checksum from them."""
    check = fields.pop(CHECK, None)
    return check is None or check == _check(fields)


def _is_as_written(line: str) -> bool:
    """Whether the checksum matches the line's text, which is quicker to check than its fields."""
    rest, _, check = line.rstrip().rpartition(f',"{CHECK}":')
    return check == f'"{_digest(rest + "}")}"}}'


def _check(fields: Mapping[str, Any]) -> str:
    return _digest(_line(fields))


def _digest(line: str) -> str:
    return hashlib.blake2b(line.encode(), digest_size=8).hexdigest()


def _line(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def record_answer(record: Record, subject: PreparedSubject, arrays: Arrays) -> Answer:
    """The typed answer of a record, its geometry in the frame of the subject's slice.

    Raises RecordError where the answer, or the file of its mask, is damaged.
    """
    if record.kind != "answered":
        return FAILURES[record.kind](record.reason or "")
    try:
        frame = None
        if record.plane is not None and record.index is not None:
            frame = subject.frame(record.plane, record.index)
        return Answered(decode_value(record.value or {}, frame, arrays))
    except (TypeError, ValueError, IndexError) as error:  # a record without a checksum may say anything
        raise RecordError(f"the answer of {record.model} about {record.subject} is damaged ({error})") from error
