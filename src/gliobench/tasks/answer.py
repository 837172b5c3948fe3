"""The result of a question: an answer of a known type, or the reason why there is none."""

from dataclasses import dataclass

from gliobench.tasks.geometry import Value


@dataclass(frozen=True)
class Answered:
    """A usable answer; `value` None says that there is no tumour in the slice."""

    value: Value | None


@dataclass(frozen=True)
class Malformed:
    """Text without the answer asked for; `reason` says what was found and expected."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """The model declined to answer."""

    reason: str


@dataclass(frozen=True)
class Truncated:
    """The answer is incomplete: it was cut off by the token limit."""

    reason: str


@dataclass(frozen=True)
class Missing:
    """There is no answer: an empty text, or nothing at all."""

    reason: str


Answer = Answered | Malformed | Refused | Truncated | Missing
