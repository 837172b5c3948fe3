"""What a trained network is worth on the patients that it knows, to stand beside its figures on test patients."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gliobench.cohort.subject import HGG, LGG
from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import write_json
from gliobench.models.prediction import Prediction, Question
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade, VolumeMask

FIGURES = "figures.json"
Figures = dict[str, dict[str, float | int | None]]  # by metric: `value` (None: not defined) and `n` patients


def write_figures(folder: Path, name: str, task: str, parts: Mapping[str, Sequence[PreparedSubject]]) -> None:
    """Ask the network in `folder`, as it answers about test patients, about those of each part, such as "training",
    and leave the figures in `figures.json` beside it."""
    from gliobench.models.trained import load_network

    network = load_network([folder], name)
    found = {}
    for part, subjects in parts.items():
        predictions = list(network.predict_in_sample([Question(subject, task, None) for subject in subjects]))
        found[part] = grade_values(predictions) if task == "grade" else dice_value(predictions)
    write_json(folder / FIGURES, {"task": task, "figures": found})


def grade_values(predictions: Sequence[Prediction]) -> Figures:
    """accuracy and balanced accuracy of graded patients; one with several scans weighs as the others."""
    from gliobench.scoring.grades import GradedPatient, Votes, grade_figures
    from gliobench.scoring.intervals import Bootstrap

    graded = []
    for one in predictions:
        called, truth = _value(one), one.question.subject.grade
        assert isinstance(called, Grade)
        assert truth is not None
        votes = Votes(int(called.value == LGG), int(called.value == HGG), 0, 0, one.score)
        graded.append(GradedPatient(truth, called.value, votes))
    whose = [one.question.subject.patient for one in predictions]
    figures = grade_figures(graded, Bootstrap(resamples=2), whose)
    return {metric: _figure(figures[metric].value, len(set(whose))) for metric in ("balanced_accuracy", "accuracy")}


def dice_value(predictions: Sequence[Prediction]) -> Figures:
    """Mean Dice over patients of the region asked about; one with several scans counts once, with their mean."""
    from gliobench.scoring.overlap import Area, overlap

    by_patient: dict[str, list[float]] = {}
    for one in predictions:
        mask, subject = _value(one), one.question.subject
        assert isinstance(mask, VolumeMask)
        dice = overlap(Area(mask.voxels), Area(subject.tumour))["dice"]
        by_patient.setdefault(subject.patient, []).append(dice)
    means = [float(np.mean(scans)) for scans in by_patient.values()]
    return {"dice": _figure(float(np.mean(means)), len(means))}


def _value(prediction: Prediction) -> Any:
    assert isinstance(prediction.answer, Answered)
    return prediction.answer.value


def _figure(value: float, n: int) -> dict[str, float | int | None]:
    return {"value": value if np.isfinite(value) else None, "n": n}
