"""The operating point of a model that is fitted on the fly, from patients that it was not fitted on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from gliobench.cohort.subject import HGG, LGG
from gliobench.models.base.calibration import ENOUGH, NO_SPREAD, Scores, learn_operating_point, spreads
from gliobench.models.base.operating_point import OperatingPoint

FEW = 20  # validation patients per grade: with fewer, out-of-fold training patients are used as well


def decide_held_out(
    validation: Scores,
    grades: NDArray[np.int_],
    out_of_fold: Callable[[], Scores],
    train_grades: NDArray[np.int_],
    train_patients: Sequence[str],
) -> tuple[OperatingPoint, str]:
    """The operating point from the validation patients' scores, and in words, from whom it was estimated.

    With fewer than 20 of either grade, the training patients' out-of-fold scores (`out_of_fold`) are used as well, if
    there are two patients of each grade among `train_patients`, the patients of the training scans. Where the
    validation scores do not vary, the model has learned nothing, and out-of-fold models differ from each other by more
    than its scores do: then nothing is estimated.
    """
    if len(validation) >= ENOUGH and not spreads(validation):
        return OperatingPoint(), f"nobody: {NO_SPREAD}"
    held_out, truth, source = validation, grades, "validation"
    if least_count(truth) < FEW and least_count(patient_grades(train_grades, train_patients)) > 1:
        held_out, truth = np.append(held_out, out_of_fold()), np.append(truth, train_grades)
        source = "validation and out-of-fold training" if len(validation) else "out-of-fold training"
    decision, fault = learn_operating_point(held_out, truth == HGG)
    return decision, f"nobody: {fault}" if fault else source


def patient_grades(grades: NDArray[np.int_], patients: Sequence[str]) -> NDArray[np.int_]:
    """(patients,) the highest grade of each patient's scans, in the order of the patients' first scans."""
    highest: dict[str, int] = {}
    for patient, grade in zip(patients, grades.tolist(), strict=True):
        highest[patient] = max(grade, highest.get(patient, LGG))
    return np.array(list(highest.values()), dtype=np.int_)


def patient_folds(
    grades: NDArray[np.int_], patients: Sequence[str], most: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """At most `folds` folds of scans, as (training, left out) indices, stratified by grade; no patient is in both.

    `grades`: (scans,); `patients`: the patient of each scan. Needs two patients of each grade.
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
