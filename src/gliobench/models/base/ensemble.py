"""An ensemble of grade models of different kinds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from gliobench.models.base.operating_point import grade_at
from gliobench.models.base.prediction import Grader, Prediction, Question, Settings
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.grade import GRADE


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of the members' calibrated probabilities of HGG, against the mean of their thresholds.

    It is not fitted, so no patients are needed for it. Missing where a member gives no probability.
    """

    name: str
    members: Sequence[Grader]
    tasks = frozenset({GRADE.name})
    per_slice = False

    @property
    def threshold(self) -> float:
        return sum(member.threshold for member in self.members) / len(self.members)

    @property
    def settings(self) -> Settings:
        """Those of every member, under its name."""
        return {f"{one.name} {key}": value for one in self.members for key, value in one.settings.items()}

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked."""
        start = perf_counter()
        for given in zip(*(member.predict(questions) for member in self.members), strict=True):
            scores = [one.score for one in given if one.score is not None]
            answer, score = self._answer(scores)
            yield Prediction(given[0].question, answer, score=score, seconds=perf_counter() - start)
            start = perf_counter()

    def _answer(self, scores: Sequence[float]) -> tuple[Answer, float | None]:
        if absent := len(self.members) - len(scores):
            return Missing(f"{absent} of {len(self.members)} members gave no probability"), None
        score = sum(scores) / len(scores)
        return Answered(grade_at(self.threshold, score)), score
