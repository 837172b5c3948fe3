"""The operating point of a model that is fitted on the fly, from patients that it was not fitted on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.calibration import (
    ENOUGH,
    NO_SPREAD,
    Scores,
    learn_operating_point,
    least_count,
    spreads,
)
from gliobench.models.base.operating_point import OperatingPoint

FEW = 20  # validation patients per class: with fewer, out-of-fold training patients are used as well


def decide_held_out(
    validation: Scores,
    grades: NDArray[np.int_],
    out_of_fold: Callable[[], Scores],
    train_grades: NDArray[np.int_],
    train_patients: Sequence[str],
    problem: Problem = GLIOMA,
) -> tuple[OperatingPoint, str]:
    """The operating point from the validation patients' scores, and in words, from whom it was estimated.

    With fewer than 20 of any class, the training patients' out-of-fold scores (`out_of_fold`) are used as well, if
    there are two patients of each class among `train_patients`, the patients of the training scans. Where the
    validation scores do not vary, the model has learned nothing, and out-of-fold models differ from each other by more
    than its scores do: then nothing is estimated.
    """
    if len(validation) >= ENOUGH and not spreads(validation):
        return OperatingPoint(), f"nobody: {NO_SPREAD}"
    held_out, truth, source = validation, grades, "validation"
    if least_count(truth, problem) < FEW and least_count(patient_grades(train_grades, train_patients), problem) > 1:
        others = out_of_fold()
        held_out = np.concatenate([held_out, others]) if len(held_out) else others
        truth = np.append(truth, train_grades)
        source = "validation and out-of-fold training" if len(validation) else "out-of-fold training"
    decision, fault = learn_operating_point(held_out, truth, problem)
    return decision, f"nobody: {fault}" if fault else source


def patient_grades(grades: NDArray[np.int_], patients: Sequence[str]) -> NDArray[np.int_]:
    """(patients,) the highest class of each patient's scans, in the order of the patients' first scans."""
    highest: dict[str, int] = {}
    for patient, grade in zip(patients, grades.tolist(), strict=True):
        highest[patient] = max(grade, highest.get(patient, 0))
    return np.array(list(highest.values()), dtype=np.int_)


def patient_folds(
    grades: NDArray[np.int_], patients: Sequence[str], most: int, problem: Problem, seed: int = 0
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """At most `most` folds of scans, as (training, left out) indices, stratified by class; no patient is in both.

    `grades`: (scans,); `patients`: the patient of each scan. `seed`: who is in which fold. Needs two patients of each
    class.
    """
    by_patient, names = patient_grades(grades, patients), list(dict.fromkeys(patients))
    owner = np.array([names.index(patient) for patient in patients])
    folds = StratifiedKFold(min(most, least_count(by_patient, problem)), shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(owner, learn)), np.flatnonzero(np.isin(owner, left)))
        for learn, left in folds.split(by_patient, by_patient)
    ]
