"""A model that is given a region of interest instead of the whole grid: the tumour that another model found."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Grader, Prediction, Question, Settings


@dataclass(frozen=True, eq=False)
class RegionOfInterest:
    """`model`, asked about patients and given those of `subjects` (by id) in their place."""

    model: Grader
    subjects: Mapping[str, PreparedSubject]
    per_slice = False

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def tasks(self) -> frozenset[str]:
        return self.model.tasks

    @property
    def threshold(self) -> float:
        return self.model.threshold

    @property
    def settings(self) -> Settings:
        """The model's own, and a digest of the patients in `subjects`."""
        contents = "".join(f"{id} {subject.content}\n" for id, subject in sorted(self.subjects.items()))
        return {**self.model.settings, "shown": hashlib.sha256(contents.encode()).hexdigest()}

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """As the model itself answers."""
        shown = [replace(question, subject=self.subjects[question.subject.id]) for question in questions]
        for question, prediction in zip(questions, self.model.predict(shown), strict=True):
            yield replace(prediction, question=question)
