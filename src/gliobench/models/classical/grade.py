"""The classical grade baseline: forests and a logistic regression on simple features, refitted wherever it is needed.

Nothing is stored: fitting gives the same model every time.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.calibration import CALIBRATION_VERSION
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import OperatingPoint, calibrated, grade_at
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.classical.features import FEATURES_VERSION, MASKED, Region, find_features, region_mask
from gliobench.models.classical.held_out import decide_held_out, least_count, patient_folds
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.grade import GRADE

TREES = 200
FOLDS = 5  # of the training patients, for out-of-fold probabilities

Rows = NDArray[np.float64]
Describe = Callable[[PreparedSubject, Region], Rows]  # a patient's features, (features,), always in the same order


_described: dict[str, Rows] = {}  # about 2 s each, and every fold of a cross-validation needs every patient


def describe(subject: PreparedSubject, region: Region) -> Rows:
    """The features of a region, (features,) float64, in the order of `find_features`; computed once per process."""
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
    """Says HGG where the calibrated probability reaches the threshold; the probability is the prediction's score."""

    name: str
    region: Region
    settings: Settings
    voters: Pipeline
    decision: OperatingPoint
    describe: Describe
    tasks = frozenset({GRADE.name})
    per_slice = False

    @property
    def threshold(self) -> float:
        """HGG at and above this probability."""
        return self.decision.threshold

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked; Missing where the region needs a mask and there is none."""
        for question in questions:
            start = perf_counter()
            answer, probability = self._answer(question.subject)
            yield Prediction(question, answer, score=probability, seconds=perf_counter() - start)

    def _answer(self, subject: PreparedSubject) -> tuple[Answer, float | None]:
        if not _has_region(subject, self.region):
            return Missing("no mask, and the region is the tumour"), None
        (score,) = _hgg(self.voters, self.describe(subject, self.region)[None])
        probability = calibrated(score, self.decision)
        return Answered(grade_at(self.threshold, probability)), probability


def fit_grader(
    name: str,
    region: Region,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    describe: Describe = describe,
) -> ClassicalGrader:
    """Fit on the training patients, calibrate on the validation patients; seeded, so deterministic.

    The operating point: `gliobench.models.classical.held_out.decide_held_out`. Patients without a grade, or without the
    region, are skipped. Raises ModelError where the training patients are all of one grade.
    """
    train, validation = ([one for one in part if _can_teach(one, region)] for part in (train, validation))
    grades = _grades(train)
    if least_count(grades) == 0:
        raise ModelError(
            f"{name}: needs training patients of both grades{' with a mask' if region in MASKED else ''}; found "
            f"{np.count_nonzero(grades == LGG)} LGG and {np.count_nonzero(grades == HGG)} HGG"
        )
    rows = np.array([describe(one, region) for one in train])
    voters = _voters(len(rows)).fit(rows, grades)
    held_out = np.empty(0)
    if validation:
        held_out = _hgg(voters, np.array([describe(one, region) for one in validation]))
    patients = [subject.patient for subject in train]
    decision, source = decide_held_out(
        held_out, _grades(validation), lambda: _out_of_fold(rows, grades, patients), grades, patients
    )
    settings = {
        "region": region,
        "features": FEATURES_VERSION,
        "scikit_learn": version("scikit-learn"),
        "learnt": learnt_digest(train, validation),
        "calibration": CALIBRATION_VERSION,
        "calibrated_on": source,
        "threshold": round(decision.threshold, 6),
    }
    return ClassicalGrader(name, region, settings, voters, decision, describe)


def _voters(patients: int) -> Pipeline:
    """Three kinds of classifier with one vote each; features that are NaN are replaced by the median."""
    forest: dict[str, Any] = {"min_samples_leaf": 2, "class_weight": "balanced", "random_state": 0}
    linear = make_pipeline(
        QuantileTransformer(n_quantiles=min(50, max(2, patients // 2)), output_distribution="normal", random_state=0),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000),
    )
    votes = [
        ("forest", RandomForestClassifier(TREES, max_features="sqrt", **forest)),
        ("extra-trees", ExtraTreesClassifier(TREES, max_features=0.2, **forest)),
        ("logistic", linear),
    ]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(imputer, VotingClassifier(votes, voting="soft"))


def _out_of_fold(rows: Rows, grades: NDArray[np.int_], patients: Sequence[str]) -> Rows:
    """Each training scan's uncalibrated probability of HGG by models not fitted on its patient; (scans,)."""
    folds = patient_folds(grades, patients, FOLDS)
    probability: Rows = cross_val_predict(_voters(len(rows)), rows, grades, cv=folds, method="predict_proba")[:, 1]
    return probability


def _hgg(voters: Pipeline, rows: Rows) -> Rows:
    probability: Rows = voters.predict_proba(rows)[:, 1]  # the classes are LGG (0) and HGG (1)
    return probability


def _can_teach(subject: PreparedSubject, region: Region) -> bool:
    return subject.grade is not None and _has_region(subject, region)


def _has_region(subject: PreparedSubject, region: Region) -> bool:
    return region not in MASKED or subject.labels is not None


def _grades(subjects: Sequence[PreparedSubject]) -> NDArray[np.int_]:
    return np.array([subject.grade for subject in subjects], dtype=np.int_)


def learnt_digest(*parts: Sequence[PreparedSubject]) -> str:
    """SHA-256 (hexadecimal) of the patients fitted on: a patient's content covers its voxels and its grade."""
    content = json.dumps([[subject.content for subject in part] for part in parts])
    return hashlib.sha256(content.encode()).hexdigest()
