"""The metrics of the classes of all patients, each with its 95 % interval."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.scoring.graded import Graded
from gliobench.scoring.grades import patients_over
from gliobench.scoring.intervals import MEAN, Bootstrap, Figure, Scans, agresti_coull
from gliobench.scoring.registry import grade_metrics
from gliobench.scoring.votes import GradedPatient


def grade_figures(
    patients: Sequence[GradedPatient], bootstrap: Bootstrap, whose: Sequence[str] = (), problem: Problem = GLIOMA
) -> dict[str, Figure]:
    """Every metric of a problem's classes over patients, those of probabilities only where the model gave any, those
    within sources only where several are known.

    `whose`: where these are scans, the patient of each, so that every patient has the same weight and is resampled as a
    whole; empty: one scan per patient. Proportions of patients have Agresti and Coull's intervals where each has one
    scan, all else a bootstrap over patients.
    """
    return graded_figures(Graded.of(patients, problem), bootstrap, whose or list(map(str, range(len(patients)))))


def graded_figures(graded: Graded, bootstrap: Bootstrap, whose: Sequence[str]) -> dict[str, Figure]:
    """As `grade_figures`, of scans of the patients `whose`."""
    several, problem = len(set(whose)) < len(whose), graded.problem
    metrics = [
        metric
        for metric in grade_metrics(problem)
        if metric.of_patients
        and (graded.given.size or not metric.of_probabilities)
        and (graded.several_origins or not metric.within_origins)
    ]
    drawn = [metric for metric in metrics if several or metric.share is None]

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([metric.values(weights, graded) for metric in drawn], axis=1)

    scans, scales = Scans.of(whose), [MEAN if metric.share is not None else metric.scale for metric in drawn]
    over = [patients_over(metric, graded, scans) for metric in drawn]
    found = dict(zip(drawn, bootstrap.figures_of_scans(statistic, whose, scales, over), strict=True))
    for metric in metrics:
        if metric.share is not None and not several:
            part, whole = metric.share(graded)
            found[metric] = agresti_coull(int(part.sum()), int(whole.sum()), len(whose), metric.undefined(graded))
    return {metric.id: found[metric].unless(metric.undefined(graded)) for metric in metrics}
