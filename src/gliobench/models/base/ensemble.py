"""An ensemble of models of different kinds that give the probabilities of classes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from gliobench.models.base.classified import class_probability_of, classified
from gliobench.models.base.prediction import TOLD, Grader, Prediction, Question, Settings
from gliobench.tasks.answer import Missing
from gliobench.tasks.grade import GRADE


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of the members' calibrated probabilities; of two classes against the mean of their thresholds.

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
        """Those of every member, under its name, and what any of them is told of the patient."""
        own = {f"{one.name} {key}": value for one in self.members for key, value in one.settings.items()}
        told = {name for one in self.members for name in json.loads(str(one.settings.get(TOLD, "[]")))}
        return own | ({TOLD: json.dumps(sorted(told))} if told else {})

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked."""
        start = perf_counter()
        for given in zip(*(member.predict(questions) for member in self.members), strict=True):
            yield replace(self._together(given), seconds=perf_counter() - start)
            start = perf_counter()

    def _together(self, given: Sequence[Prediction]) -> Prediction:
        known = [
            probability
            for one in given
            if (probability := class_probability_of(one.score, one.probabilities)) is not None
        ]
        if absent := len(self.members) - len(known):
            return Prediction(
                given[0].question, Missing(f"{absent} of {len(self.members)} members gave no probability")
            )
        return classified(given[0].question, sum(known) / len(known), self.threshold)
