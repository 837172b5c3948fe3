"""From a model's scores to probabilities and a threshold, learnt on patients that the model did not learn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from gliobench.cohort.subject import HGG, LGG

FEWEST = 2  # patients of each grade: below, scores stay as they are and the threshold is a half
ENOUGH = 20  # patients of each grade to calibrate on: a threshold from fewer is luck
CLIP = 1e-6  # so that the logit of 0 and of 1 is finite

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * logit(score) + intercept) (Platt 1999); HGG from `threshold` on.

    `fitted` is False where there were too few patients to learn it from.
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    fitted: bool = False

    def probability(self, scores: Scores) -> Scores:
        """Probabilities of HGG from scores in [0, 1]; same shape."""
        calibrated: Scores = 1 / (1 + np.exp(-self.slope * _logit(scores) - self.intercept))
        return calibrated


def fit_calibration(scores: Scores, grades: NDArray[np.int_]) -> Calibration:
    """Slope and intercept by a logistic regression; the threshold with the best balanced accuracy on these patients.

    `scores`: (patients,) in [0, 1]; `grades`: (patients,), LGG (0) or HGG (1).
    """
    if least_count(grades) < FEWEST:
        return Calibration()
    platt = LogisticRegression(C=1.0).fit(_logit(scores)[:, None], grades)
    fitted = Calibration(float(platt.coef_[0, 0]), float(platt.intercept_[0]), fitted=True)
    probability = fitted.probability(scores)
    return Calibration(fitted.slope, fitted.intercept, best_threshold(probability, grades), fitted=True)


def calibrate(
    validation: Scores,
    grades: NDArray[np.int_],
    out_of_fold: Callable[[], Scores],
    train_grades: NDArray[np.int_],
    train_patients: Sequence[str],
) -> tuple[Calibration, str]:
    """Calibration on the validation patients' scores, and on whom it was learnt, in words.

    Where these are fewer than 20 of either grade, the training patients' scores by models that did not see them
    (`out_of_fold`) are taken as well, if there are two patients of either grade among `train_patients`, whose scans
    the training grades are of.
    """
    held_out, truth, source = validation, grades, "validation"
    if least_count(truth) < ENOUGH and least_count(patient_grades(train_grades, train_patients)) > 1:
        held_out, truth = np.append(held_out, out_of_fold()), np.append(truth, train_grades)
        source = "validation and out-of-fold training" if len(validation) else "out-of-fold training"
    calibration = fit_calibration(held_out, truth)
    return calibration, source if calibration.fitted else "nobody: too few patients"


def best_threshold(probability: Scores, grades: NDArray[np.int_]) -> float:
    """Halfway between two neighbouring probabilities, where the balanced accuracy is best; of several, the middle one.

    A half where all probabilities are equal."""
    levels = np.unique(probability)
    if len(levels) == 1:
        return 0.5
    middles = (levels[1:] + levels[:-1]) / 2
    called = probability >= middles[:, None]
    balanced = (called[:, grades == HGG].mean(axis=1) + (~called[:, grades == LGG]).mean(axis=1)) / 2
    best = np.flatnonzero(balanced > balanced.max() - 1e-12)
    return float(middles[best[(len(best) - 1) // 2]])


def patient_grades(grades: NDArray[np.int_], patients: Sequence[str]) -> NDArray[np.int_]:
    """(patients,) the highest grade of each patient's scans, in the order in which patients come first."""
    highest: dict[str, int] = {}
    for patient, grade in zip(patients, grades.tolist(), strict=True):
        highest[patient] = max(grade, highest.get(patient, LGG))
    return np.array(list(highest.values()), dtype=np.int_)


def patient_folds(
    grades: NDArray[np.int_], patients: Sequence[str], most: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Folds of scans, at most so many, as (learn, left out) places, stratified by grade; no patient is on both sides.

    `grades`: (scans,); `patients`: whose each scan is. There must be two patients of either grade.
    """
    by_patient, names = patient_grades(grades, patients), list(dict.fromkeys(patients))
    owner = np.array([names.index(patient) for patient in patients])
    folds = StratifiedKFold(min(most, least_count(by_patient)), shuffle=True, random_state=0)
    return [
        (np.flatnonzero(np.isin(owner, learn)), np.flatnonzero(np.isin(owner, left)))
        for learn, left in folds.split(by_patient, by_patient)
    ]


def least_count(grades: NDArray[np.int_]) -> int:
    """How many patients the rarer grade has."""
    return int(min(np.count_nonzero(grades == LGG), np.count_nonzero(grades == HGG)))


def _logit(scores: Scores) -> Scores:
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    odds: Scores = np.log(clipped / (1 - clipped))
    return odds
