"""Out-of-fold figures of the classical grade baseline on real lesions, inside the true mask and on the whole crop.

    python benchmarks/accuracy/grade_classical.py --cohort ../shared/lesions --folds 5

Every patient is tested once, by a model that was fitted on the other folds and calibrated on its own out-of-fold
probabilities there. Prints the figures with 95 % intervals and ends in one line of JSON. The lesions are
crops that were placed by the true mask, so region `crop` is an oracle for where the tumour is, and `truth` for its
outline too.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from gliobench.cohort.read import find_cohort
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Recipe
from gliobench.grid.splits import Split, make_split
from gliobench.grid.store import prepare_cohort
from gliobench.models.base.prediction import Question
from gliobench.models.classical.features import Region
from gliobench.models.classical.grade import describe, fit_grader
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import Bootstrap, Figure
from gliobench.scoring.votes import GradedPatient, count_votes, most_votes

REGIONS: tuple[Region, ...] = ("truth", "crop")
SHOWN = ("auc", "balanced_accuracy", "recall", "specificity")
CALIBRATED = ("brier", "calibration_error", "calibration_slope", "calibration_intercept")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohort", type=Path, default=Path("../shared/lesions"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--preset", choices=("stored", "brain"), default="stored")
    options = parser.parse_args()
    table = Table("region", *SHOWN, *CALIBRATED, "seconds")
    results = {}
    with TemporaryDirectory() as store:
        cohort = find_cohort(options.cohort)
        prepared, _ = prepare_cohort(cohort, Recipe(options.preset, (32, 32, 32)), Path(store))
        subjects = [subject for subject in prepared if subject.grade is not None]
        for region in REGIONS:
            start = perf_counter()
            graded = out_of_fold(subjects, region, options.folds, options.seed)
            figures = grade_figures(graded, Bootstrap())
            seconds = perf_counter() - start
            table.add_row(region, *(shown(figures[name]) for name in (*SHOWN, *CALIBRATED)), f"{seconds:.0f}")
            results[region] = {name: asdict(figures[name]) for name in (*SHOWN, *CALIBRATED)}
    Console(width=200).print(table)
    result = {"benchmark": "grade_classical", "preset": options.preset, "n": len(subjects), "folds": options.folds}
    print(json.dumps({**result, "seed": options.seed, "regions": results}))


def out_of_fold(subjects: Sequence[PreparedSubject], region: Region, folds: int, seed: int) -> list[GradedPatient]:
    """Every patient with the grade and probability of the one model that did not learn from it."""
    by_id = {subject.id: subject for subject in subjects}
    parts = whole_folds({subject.id: subject.grade for subject in subjects}, folds, seed)
    known = {subject.id: describe(subject, region) for subject in subjects}
    graded = []
    for test in parts:
        train = [by_id[id] for id in sorted(set(by_id) - set(test))]
        model = fit_grader("radiomics", region, train, (), lambda subject, region: known[subject.id])
        for prediction in model.predict([Question(by_id[id], "grade", None) for id in test]):
            votes = count_votes([prediction.answer], prediction.score)
            graded.append(GradedPatient(int(prediction.question.subject.grade or 0), most_votes(votes), votes))
    return graded


def whole_folds(grades: dict[str, int | None], folds: int, seed: int) -> list[tuple[str, ...]]:
    """Folds that hold every patient: the one that a split must keep for its test goes to the first."""
    split: Split = make_split(grades, {}, test_share=0.5 / len(grades), folds=folds, seed=seed)
    return [tuple(sorted((*split.folds[0], *split.test))), *split.folds[1:]]


def shown(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" if np.isfinite(figure.value) else "–"


if __name__ == "__main__":
    main()
