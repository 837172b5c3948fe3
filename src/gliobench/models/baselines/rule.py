"""A model that applies one fixed rule."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Value


@dataclass(frozen=True)
class Rule:
    """Answers every question with `answer(question)`; `settings` holds what was estimated on training patients.

    `score`, `probabilities`: of a class, as in `Prediction`.
    """

    name: str
    tasks: frozenset[str]
    per_slice: bool
    settings: Settings
    answer: Callable[[Question], Value]
    score: float | None = None
    probabilities: tuple[float, ...] | None = None

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked."""
        for question in questions:
            start = perf_counter()
            value = self.answer(question)
            seconds = perf_counter() - start
            yield Prediction(
                question, Answered(value), score=self.score, probabilities=self.probabilities, seconds=seconds
            )
