"""Grade from the whole brain, no oracle: both cohorts of whole patients as one, out of fold.

Writes a table of all patients beside the run, then does what `gliobench run` does. Killed, it goes on where it was.

    python benchmarks/accuracy/grade_brain.py --cohorts ../shared/cohort_2mm ../shared/cohort_1mm --out runs/grade-brain
"""

import argparse
import csv
from pathlib import Path

from rich.console import Console

from gliobench.cohort.read import find_cohort
from gliobench.cohort.subject import GRADE_NAMES
from gliobench.study.config.study import Study
from gliobench.study.run import run_stages
from gliobench.study.state.context import make_context
from gliobench.study.state.progress import Terminal

MODALITIES = ("t1", "t1ce", "t2", "flair")
STUDY = {
    "name": "grade-brain",
    "grid": {"preset": "brain", "shape": (72, 88, 72)},
    "split": {"scheme": "cross-validation", "folds": 5, "validation_share": 0.2, "seed": 0},
    "tasks": ("grade",),
    "models": (
        {"kind": "baseline", "name": "majority-grade"},
        {"kind": "classical", "name": "radiomics", "region": "brain"},
        {"kind": "network", "name": "study-classifier", "network": "grade-classifier", "train": {"epochs": 30}},
    ),
}


def write_table(cohorts: list[Path], path: Path) -> None:
    """One line a patient: id, grade and the absolute paths of the images and the mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "grade", *MODALITIES, "mask"])
        for cohort in cohorts:
            for subject in find_cohort(cohort).subjects:
                assert subject.grade is not None
                images = [subject.images[modality].path.resolve() for modality in MODALITIES]
                mask = subject.mask.resolve() if subject.mask else ""
                writer.writerow([subject.id, GRADE_NAMES[subject.grade], *images, mask])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/grade-brain"))
    arguments = parser.parse_args()
    table = arguments.out / "cohort" / "subjects.csv"
    write_table(arguments.cohorts, table)
    study = Study.model_validate(STUDY)
    run_stages(make_context(study, cohort=table.parent, out=arguments.out, voice=Terminal(Console())))


if __name__ == "__main__":
    main()
