"""One answer as one line of JSON, keyed by everything that could have changed it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.prediction import Prediction, Question, Settings
from gliobench.records.errors import RecordError
from gliobench.records.value import Arrays, decode_value, encode_value
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing, Refused, Truncated

FAILURES: dict[str, type[Malformed | Refused | Truncated | Missing]] = {
    "malformed": Malformed,
    "refused": Refused,
    "truncated": Truncated,
    "missing": Missing,
}


@dataclass(frozen=True)
class Record:
    """What was asked, what came back and under which key; the fields are those of `Question` and `Prediction`.

    `kind` is "answered" or one of `FAILURES`; `value` is plain JSON (see `gliobench.records.value`).
    `content`: digest of the image asked about; None in files written before it was kept.
    `oracle` names what the truth was used for when the input was made: "grid", "slices", "region", "prompt", or
    nothing.
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

    def to_json(self) -> str:
        """One line, without a line break in it."""
        return json.dumps(self.__dict__, separators=(",", ":"))


def question_key(model: str, settings: Settings, question: Question) -> str:
    """SHA-256 over model, settings, task, slice, repeat and the image's content: same key, same answer."""
    frame = question.frame
    identity = {
        "model": model,
        "settings": dict(settings),
        "task": question.task,
        "slice": [frame.plane, frame.index] if frame else None,
        "repeat": question.repeat,
        "image": question.subject.content,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def make_record(key: str, model: str, prediction: Prediction, oracle: tuple[str, ...], arrays: Arrays) -> Record:
    """The record of a prediction. Masks go to `arrays`, everything else into the line itself.

    Raises RecordError for a probability that is none: figures made with it would look like any other.
    """
    question, answer = prediction.question, prediction.answer
    if prediction.score is not None and not math.isfinite(prediction.score):
        raise RecordError(
            f"{model}, {question.subject.id}: {prediction.score} for a probability of HGG; expected 0 to 1. Train it "
            "again, with a lower learning rate where its loss is nan, or load it in a wider precision"
        )
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
    )


def parse_record(line: str) -> Record:
    """The record of one line; raises ValueError where the line is not a whole record."""
    try:
        fields = json.loads(line)
        record = Record(**{**fields, "oracle": tuple(fields["oracle"])})
    except (TypeError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"not a record: {error}") from error
    if record.kind != "answered" and record.kind not in FAILURES:
        raise ValueError(f"not a record: kind {record.kind!r}")
    return record


def record_answer(record: Record, subject: PreparedSubject, arrays: Arrays) -> Answer:
    """The typed answer of a record, its geometry in the frame of the subject's slice."""
    if record.kind != "answered":
        return FAILURES[record.kind](record.reason or "")
    if record.value is None:
        raise ValueError(f"{record.subject}: an answered record without a value (key {record.key})")
    frame = None
    if record.plane is not None and record.index is not None:
        frame = subject.frame(record.plane, record.index)
    return Answered(decode_value(record.value, frame, arrays))
