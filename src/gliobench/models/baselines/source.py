"""The class from the source alone: what could be read off the site or archive, without a look at any image."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.sources import COLUMNS, SOURCE
from gliobench.cohort.variables import stated
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.classified import classified
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import of_problem
from gliobench.models.base.prediction import TOLD, Prediction, Question, Settings
from gliobench.tasks.grade import GRADE

PSEUDO_PATIENTS = 1  # of all sources together, in each: the m of the m-estimate
UNKNOWN = f"the source of no patient is known: it is a column of the table ({', '.join(COLUMNS)}) or in a BraTS id"
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class SourceShares:
    """Answers with the proportions of the classes among the training patients of the same source.

    `by_source`: (k,) for each source; `elsewhere`: (k,) of all training patients, for a source that none of them has.
    """

    by_source: Mapping[str, Shares]
    elsewhere: Shares

    name: ClassVar[str] = SOURCE
    tasks: ClassVar[frozenset[str]] = frozenset({GRADE.name})
    per_slice: ClassVar[bool] = False

    @property
    def settings(self) -> Settings:
        shares = {source: shares.tolist() for source, shares in self.by_source.items()}
        return {
            "shares": json.dumps(shares),
            "elsewhere": json.dumps(self.elsewhere.tolist()),
            TOLD: json.dumps([SOURCE]),
        }

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked."""
        for question in questions:
            source = stated(question.subject.variables, SOURCE)
            shares = self.elsewhere if source is None else self.by_source.get(source, self.elsewhere)
            yield classified(question, of_problem(shares[None], question.subject.problem)[0])


def source(train: Sequence[PreparedSubject], plane: Plane) -> SourceShares:
    """Each source's proportions of the classes as an m-estimate with m = 1 (Cestnik 1990): as if one patient more came
    from it, with the classes of all training patients in their proportions.

    So the class of a source with one patient is less certain than that of a source with many. Raises ModelError where
    no training patient with a class has a source.
    """
    known = [(found, one.grade) for one in train if (found := stated(one.variables, SOURCE)) and one.grade is not None]
    if not known:
        raise ModelError(f"{SOURCE}: {UNKNOWN}")
    count = train[0].problem.count
    grades = [one.grade for one in train if one.grade is not None]
    everybody = np.bincount(grades, minlength=count) / len(grades)
    by_source = {}
    for name in sorted({found for found, _ in known}):
        own = np.bincount([grade for found, grade in known if found == name], minlength=count)
        by_source[name] = (own + PSEUDO_PATIENTS * everybody) / (own.sum() + PSEUDO_PATIENTS)
    return SourceShares(by_source, everybody)
