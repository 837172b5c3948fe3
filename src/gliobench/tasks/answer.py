"""What came back from a question: an answer of a known type, or the reason why there is none."""

from dataclasses import dataclass

from gliobench.tasks.geometry import Value


@dataclass(frozen=True)
class Answered:
    """A usable answer; `value` None says that there is no tumour in the slice."""

    value: Value | None


@dataclass(frozen=True)
class Malformed:
    """Text that does not say what was asked for; `reason` says what was found and expected."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """The model declined to answer."""

    reason: str


@dataclass(frozen=True)
class Truncated:
    """The answer stops before it says enough: the token limit cut it off."""

    reason: str


@dataclass(frozen=True)
class Missing:
    """Nothing came back: an empty text, or no answer at all."""

    reason: str


Answer = Answered | Malformed | Refused | Truncated | Missing
