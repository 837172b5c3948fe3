"""The question and the prediction of any model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.tasks.answer import Answer

Settings = Mapping[str, str | int | float | bool | None]
TOLD = "told"  # among a model's settings: a JSON list of the patient's variables that it is told


def setting_of_task(task: str, key: str) -> str:
    """The name of a setting that can change the answers to one task alone, and is in the keys of its records alone."""
    return f"[{task}] {key}"


def settings_for(settings: Settings, task: str) -> Settings:
    """Those that can change the answers to a task: without those of other tasks alone."""
    own = setting_of_task(task, "")
    return {key: value for key, value in settings.items() if not key.startswith("[") or key.startswith(own)}


@dataclass(frozen=True)
class Question:
    """One task about one patient: about one slice (`frame`), or about the whole volume (`frame` is None).

    `control`: the control (`gliobench.grid.controls`) that altered the patient's image; empty: it is the patient's own.
    """

    subject: PreparedSubject
    task: str
    frame: SliceFrame | None
    repeat: int = 0
    control: str = ""


@dataclass(frozen=True)
class Prediction:
    """A typed answer with where it came from.

    `score`: for a class of two, the probability of the positive one, else None. `text`: what a language model wrote,
    verbatim. `probabilities`: for a class of more, that of each, in the classes' order, summing to 1, else None.
    `tokens`: generated tokens. `prompt_tokens`: of the prompt with its images, as a server counted them. `finish`:
    "stop" or "length", or a server's own value, or why there is no answer. `seconds`: this answer's part of the
    wall-clock time. `served`: the server's own name and fingerprint of the model.
    """

    question: Question
    answer: Answer
    score: float | None = None
    text: str | None = None
    tokens: int | None = None
    finish: str | None = None
    seconds: float | None = None
    probabilities: tuple[float, ...] | None = None
    served: str | None = None
    prompt_tokens: int | None = None


class Model(Protocol):
    """Anything that answers. `settings` is everything that could change an answer, as plain values: it becomes
    part of every record's key. `per_slice` says whether it is asked about slices or about whole patients."""

    @property
    def name(self) -> str: ...
    @property
    def tasks(self) -> frozenset[str]: ...
    @property
    def per_slice(self) -> bool: ...
    @property
    def settings(self) -> Settings: ...
    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Yield one prediction a question, as soon as each is known, in the order asked."""
        ...


@runtime_checkable
class Grader(Model, Protocol):
    """A model whose classes are calibrated probabilities: the positive one of two at and above `threshold`."""

    @property
    def threshold(self) -> float: ...


@runtime_checkable
class Charged(Protocol):
    """A model whose answers cost tokens or money."""

    def account(self) -> str:
        """One sentence: what was asked so far, in tokens and, where prices are known, in money."""
        ...
