"""The classical grade baseline: forests and a logistic regression on simple features, refitted wherever it is needed.

Nothing is stored: fitting gives the same model every time.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.calibration import CALIBRATION_VERSION, Scores, least_count
from gliobench.models.base.classified import classified
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import OperatingPoint, calibrated, of_problem
from gliobench.models.base.prediction import TOLD, Prediction, Question, Settings
from gliobench.models.classical.features import FEATURES_VERSION, MASKED, Region, find_features, region_mask
from gliobench.models.classical.held_out import decide_held_out, patient_folds
from gliobench.models.classical.variables import Variable
from gliobench.tasks.answer import Missing
from gliobench.tasks.grade import GRADE

TREES = 200
FOLDS = 5  # of the training patients, for out-of-fold probabilities

Rows = NDArray[np.float64]
Describe = Callable[[PreparedSubject, Region], Rows]  # a patient's features, (features,), always in the same order


_described: dict[str, Rows] = {}  # about 2 s each, and every fold of a cross-validation needs every patient


def describe(subject: PreparedSubject, region: Region) -> Rows:
    """The features of a region, (features,) float64, in the order of `find_features`, of the region `none` none;
    computed once per process."""
    if region == "none":
        return np.empty(0)
    inside = region_mask(subject, region)
    seen = hashlib.sha256(repr(subject.spacing_mm).encode())
    for voxels in (subject.image, inside):
        seen.update(np.asarray(voxels).tobytes())
    key = seen.hexdigest()
    if key not in _described:
        _described[key] = np.array(list(find_features(subject, inside).values()))
    return _described[key]


@dataclass(frozen=True, eq=False)
class ClassicalGrader:
    """Says the class that its calibrated probabilities say (`gliobench.models.base.operating_point.class_at`)."""

    name: str
    region: Region
    settings: Settings
    voters: Pipeline
    decision: OperatingPoint
    row: Callable[[PreparedSubject], Rows]
    tasks = frozenset({GRADE.name})
    per_slice = False

    @property
    def threshold(self) -> float:
        """Of two classes the positive one at and above this probability."""
        return self.decision.threshold

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked; Missing where the region needs a mask and there is none."""
        for question in questions:
            start = perf_counter()
            yield replace(self._answer(question), seconds=perf_counter() - start)

    def _answer(self, question: Question) -> Prediction:
        subject = question.subject
        if not _has_region(subject, self.region):
            return Prediction(question, Missing(f"no mask, and the region is the {subject.problem.finding_words}"))
        (score,) = _scores(self.voters, self.row(subject)[None], subject.problem)
        return classified(question, calibrated(score, self.decision), self.threshold)


def fit_grader(
    name: str,
    region: Region,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    describe: Describe = describe,
    variables: Sequence[Variable] = (),
    seed: int = 0,
) -> ClassicalGrader:
    """Fit on the training patients, calibrate on the validation patients; the same for the same seed.

    `variables`: what the cohort's table says of patients, as features beside those of the region. `seed`: of the
    forests, and of the folds of training patients.
    The operating point: `gliobench.models.classical.held_out.decide_held_out`. Patients without a class, or without the
    region, are skipped. Raises ModelError where no training patient is of one of the classes.
    """
    train, validation = ([one for one in part if _can_teach(one, region)] for part in (train, validation))
    grades = _grades(train)
    problem = train[0].problem if train else GLIOMA
    if least_count(grades, problem) == 0:
        raise ModelError(
            f"{name}: needs training patients of every {problem.asked}{' with a mask' if region in MASKED else ''}; "
            f"found {problem.counted(grades.tolist())}"
        )
    columns = [variable.fitted(train) for variable in variables]

    def row(subject: PreparedSubject) -> Rows:
        told = [value for column in columns for value in column.features(subject)]
        return np.concatenate([describe(subject, region), told])

    rows = np.array([row(one) for one in train])
    voters = _voters(len(rows), seed).fit(rows, grades)
    held_out = np.empty(0)
    if validation:
        held_out = _scores(voters, np.array([row(one) for one in validation]), problem)
    patients = [subject.patient for subject in train]
    decision, source = decide_held_out(
        held_out,
        _grades(validation),
        lambda: _out_of_fold(rows, grades, patients, problem, seed),
        grades,
        patients,
        problem,
    )
    settings: dict[str, str | float] = {
        "region": region,
        "features": FEATURES_VERSION,
        "scikit_learn": version("scikit-learn"),
        "learnt": training_digest(train, validation),
        "calibration": CALIBRATION_VERSION,
        "calibrated_on": source,
        "threshold": round(decision.threshold, 6),
    }
    if seed:  # 0, which all had before there was a choice, is not written, so that their answers hold
        settings["seed"] = seed
    if variables:
        settings |= _variable_settings(variables, train, validation)
    return ClassicalGrader(name, region, settings, voters, decision, row)


def _variable_settings(variables: Sequence[Variable], *parts: Sequence[PreparedSubject]) -> dict[str, str]:
    """What else decides the answers: which variables, as numbers or words, and what patients fitted on have of them."""
    names = json.dumps([variable.name for variable in variables])
    kinds = json.dumps({variable.name: "numbers" if variable.numeric else "words" for variable in variables})
    values = json.dumps([[[variable.of(one) for variable in variables] for one in part] for part in parts])
    return {
        TOLD: names,
        "variables": kinds,
        "variables_fitted_on": hashlib.sha256(values.encode()).hexdigest(),
    }


def _voters(patients: int, seed: int) -> Pipeline:
    """Three kinds of classifier with one vote each; features that are NaN are replaced by the median."""
    forest: dict[str, Any] = {"min_samples_leaf": 2, "class_weight": "balanced", "random_state": seed}
    linear = make_pipeline(
        QuantileTransformer(
            n_quantiles=min(50, max(2, patients // 2)), output_distribution="normal", random_state=seed
        ),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000),
    )
    votes = [
        ("forest", RandomForestClassifier(TREES, max_features="sqrt", **forest)),
        ("extra-trees", ExtraTreesClassifier(TREES, max_features=0.2, **forest)),
        ("logistic", linear),
    ]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, VotingClassifier(votes, voting="soft"))


def _out_of_fold(rows: Rows, grades: NDArray[np.int_], patients: Sequence[str], problem: Problem, seed: int) -> Scores:
    """Each training scan's uncalibrated probabilities by models not fitted on its patient."""
    folds = patient_folds(grades, patients, FOLDS, problem, seed)
    voters = _voters(len(rows), seed)
    return of_problem(cross_val_predict(voters, rows, grades, cv=folds, method="predict_proba"), problem)


def _scores(voters: Pipeline, rows: Rows, problem: Problem) -> Scores:
    """Uncalibrated probabilities; the voters know every class, in the order of their numbers."""
    return of_problem(voters.predict_proba(rows), problem)


def _can_teach(subject: PreparedSubject, region: Region) -> bool:
    return subject.grade is not None and _has_region(subject, region)


def _has_region(subject: PreparedSubject, region: Region) -> bool:
    return region not in MASKED or subject.labels is not None


def _grades(subjects: Sequence[PreparedSubject]) -> NDArray[np.int_]:
    return np.array([subject.grade for subject in subjects], dtype=np.int_)


def training_digest(*parts: Sequence[PreparedSubject]) -> str:
    """SHA-256 (hexadecimal) of the patients fitted on: a patient's content covers its voxels and its grade."""
    content = json.dumps([[subject.content for subject in part] for part in parts])
    return hashlib.sha256(content.encode()).hexdigest()
