"""Patients who teach the operating point of a model that is fitted on the spot: those it did not learn from."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from gliobench.cohort.subject import HGG, LGG
from gliobench.models.base.calibration import ENOUGH, NO_SPREAD, Scores, learn_operating_point, spreads
from gliobench.models.base.operating_point import OperatingPoint

FEW = 20  # validation patients of a grade: below, training patients out of fold teach as well


def decide_held_out(
    validation: Scores,
    grades: NDArray[np.int_],
    out_of_fold: Callable[[], Scores],
    train_grades: NDArray[np.int_],
    train_patients: Sequence[str],
) -> tuple[OperatingPoint, str]:
    """The operating point that the validation patients' scores teach, and on whom it was learnt, in words.

    Where these are fewer than 20 of either grade, the training patients' scores by models that did not see them
    (`out_of_fold`) are taken as well, if there are two patients of either grade among `train_patients`, whose scans
    the training grades are of. A model whose validation scores do not spread has learnt nothing, and models that did
    not see their patients differ from each other by more than it says: nothing is learnt from those.
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
