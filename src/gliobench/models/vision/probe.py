"""A linear probe on a frozen encoder's features: a logistic regression of the class, refitted for each fold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.calibration import CALIBRATION_VERSION, Scores, least_count
from gliobench.models.base.classified import classified
from gliobench.models.base.errors import ModelError
from gliobench.models.base.operating_point import OperatingPoint, calibrated, of_problem
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.classical.grade import training_digest
from gliobench.models.classical.held_out import decide_held_out, patient_folds, patient_grades
from gliobench.tasks.answer import Missing
from gliobench.tasks.grade import GRADE

Pool = Literal["mean", "slices"]
Embed = Callable[
    [PreparedSubject], NDArray[np.float32]
]  # a patient's slices, (slices, features); no rows: no slice is selected
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # C, the inverse of the penalty, on standardised features
FOLDS = 5  # of the training patients, to choose C


@dataclass(frozen=True, eq=False)
class ProbedEncoder:
    """Says the class that its calibrated probabilities say (`gliobench.models.base.operating_point.class_at`)."""

    name: str
    settings: Settings
    pool: Pool
    regression: Pipeline
    decision: OperatingPoint
    embed: Embed
    tasks = frozenset({GRADE.name})
    per_slice = False

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per patient, in the order asked; Missing where no slice of the patient is selected."""
        for question in questions:
            start = perf_counter()
            yield replace(self._answer(question), seconds=perf_counter() - start)

    def _answer(self, question: Question) -> Prediction:
        rows = pooled(self.embed(question.subject), self.pool)
        if not len(rows):
            return Prediction(question, Missing("no slice is selected"))
        (score,) = _scores(self.regression, [rows], question.subject.problem)
        return classified(question, calibrated(score, self.decision), self.decision.threshold)


def fit_probe(
    name: str,
    pool: Pool,
    train: Sequence[PreparedSubject],
    validation: Sequence[PreparedSubject],
    embed: Embed,
    seen: Settings,
    seed: int = 0,
) -> ProbedEncoder:
    """Choose the penalty by cross-validation over the training patients, fit on all of them, calibrate.

    `pool`: "mean" fits on each patient's mean features; "slices" on each slice with its patient's class, and a
    patient's probability is the mean over the slices. The penalty with the least out-of-fold log loss over patients is
    used; the slices of a patient are all in one fold. Calibrated as the classical baseline is. `seen`: the encoder's
    settings. `seed`: of the folds. Raises ModelError where fewer than two training patients of a class have a selected
    slice.
    """
    learn, rows = _with_rows(train, pool, embed)
    decide, held_out = _with_rows(validation, pool, embed)
    grades, truth = _grades(learn), _grades(decide)
    patients = [subject.patient for subject in learn]
    problem = learn[0].problem if learn else GLIOMA
    if least_count(patient_grades(grades, patients), problem) < 2:
        raise ModelError(
            f"{name}: needs two training patients of each {problem.asked} with a selected slice; found "
            f"{problem.counted(grades.tolist())}"
        )
    by_strength = {strength: _out_of_fold(rows, grades, patients, strength, problem, seed) for strength in STRENGTHS}
    strength = min(by_strength, key=lambda one: _loss(by_strength[one], grades, problem))
    regression = _regression(strength).fit(np.concatenate(rows), _repeated(grades, rows))
    decision, source = decide_held_out(
        _scores(regression, held_out, problem), truth, lambda: by_strength[strength], grades, patients, problem
    )
    settings: Settings = {
        **seen,
        **({"seed": seed} if seed else {}),  # as for the classical baseline
        "pool": pool,
        "strength": strength,
        "scikit_learn": version("scikit-learn"),
        "learnt": training_digest(learn, decide),
        "calibration": CALIBRATION_VERSION,
        "calibrated_on": source,
        "threshold": round(decision.threshold, 6),
    }
    return ProbedEncoder(name, settings, pool, regression, decision, embed)


def pooled(rows: NDArray[np.float32], pool: Pool) -> NDArray[np.float32]:
    """The rows of one patient to fit on: the mean of the slices (1, features), or each of them; none of none."""
    return rows.mean(axis=0, keepdims=True) if pool == "mean" and len(rows) else rows


def _with_rows(
    subjects: Sequence[PreparedSubject], pool: Pool, embed: Embed
) -> tuple[list[PreparedSubject], list[NDArray[np.float32]]]:
    """The patients with a grade and a selected slice, and the rows of each."""
    found = [(subject, pooled(embed(subject), pool)) for subject in subjects if subject.grade is not None]
    found = [(subject, rows) for subject, rows in found if len(rows)]
    return [subject for subject, _ in found], [rows for _, rows in found]


def _regression(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))


def _out_of_fold(
    rows: Sequence[NDArray[np.float32]],
    grades: NDArray[np.int_],
    patients: Sequence[str],
    strength: float,
    problem: Problem,
    seed: int,
) -> Scores:
    """Each training scan's probabilities by a regression not fitted on its patient."""
    owner = _repeated(np.arange(len(rows)), rows)
    splits = [
        (np.flatnonzero(np.isin(owner, learn)), np.flatnonzero(np.isin(owner, left)))
        for learn, left in patient_folds(grades, patients, FOLDS, problem, seed)
    ]
    probability = cross_val_predict(
        _regression(strength), np.concatenate(rows), grades[owner], cv=splits, method="predict_proba"
    )
    return _means(of_problem(probability, problem), rows)


def _loss(scores: Scores, grades: NDArray[np.int_], problem: Problem) -> float:
    """The log loss of the patients' probabilities."""
    truth = grades == problem.positive_class if scores.ndim == 1 else grades
    return float(log_loss(truth, scores))


def _scores(regression: Pipeline, rows: Sequence[NDArray[np.float32]], problem: Problem) -> Scores:
    """Each patient's uncalibrated probabilities; the regression knows every class, in the order of their numbers."""
    if not rows:
        return np.empty(0)
    return _means(of_problem(regression.predict_proba(np.concatenate(rows)), problem), rows)


def _means(values: Scores, rows: Sequence[NDArray[np.float32]]) -> Scores:
    """The mean of each patient's part of `values`, which are ordered by patient."""
    counts = np.array([len(one) for one in rows])
    sums = np.add.reduceat(values, np.cumsum(counts) - counts)
    means: Scores = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means


def _repeated(values: NDArray[np.int_], rows: Sequence[NDArray[np.float32]]) -> NDArray[np.int_]:
    """Each patient's value, repeated for its rows."""
    return np.repeat(values, [len(one) for one in rows])


def _grades(subjects: Sequence[PreparedSubject]) -> NDArray[np.int_]:
    return np.array([subject.grade for subject in subjects], dtype=np.int_)
