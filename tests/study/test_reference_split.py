"""The reference study's file with its own split, unchanged, on made-up patients with BraTS 2020's ids and grades."""

import csv
from math import comb
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.problem import GLIOMA
from gliobench.grid.splits import Split, SplitError
from gliobench.study.config.study import read_study
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import class_lines, class_warnings, refuse_missing_class, split
from gliobench.study.state.context import make_context

STUDY = Path(__file__).parents[2] / "studies" / "brats2020.yaml"
GRADES = {f"BraTS20_Training_{n:03d}": "LGG" if 260 <= n <= 335 else "HGG" for n in range(1, 370)}


@pytest.fixture(scope="module")
def whole_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 369 ids with their grades; a bright tumour, larger in HGG, in a noisy head of 16 voxels of 10 mm a side."""
    root = tmp_path_factory.mktemp("brats2020")
    with (root / "name_mapping.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Grade", "BraTS_2020_subject_ID"])
        rows.writerows([grade, id] for id, grade in GRADES.items())
    affine = np.diag([-10.0, -10.0, 10.0, 1.0])
    for seed, (id, grade) in enumerate(GRADES.items()):
        random = np.random.default_rng(seed)
        mask = np.zeros((16, 16, 16), np.uint8)
        size = 5 if grade == "HGG" else 3
        mask[6 : 6 + size, 6 : 6 + size, 6 : 6 + size] = 2
        mask[7, 7, 7] = 1
        (root / id).mkdir()
        nib.save(nib.Nifti1Image(mask, affine), root / id / f"{id}_seg.nii.gz")
        for modality in ("flair", "t1", "t1ce", "t2"):
            image = random.integers(100, 200, mask.shape).astype(np.int16) + 200 * (mask > 0).astype(np.int16)
            image[[0, -1]] = image[:, [0, -1]] = 0
            nib.save(nib.Nifti1Image(image, affine), root / id / f"{id}_{modality}.nii.gz")
    return root


def test_plan_of_the_very_file_tells_every_parts_grades(whole_cohort: Path, tmp_path: Path) -> None:
    arguments = ["plan", str(STUDY), "--cohort", str(whole_cohort), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    # The issue of sorted ids: 34 HGG and 25 LGG were tested, and no LGG validated in four of five folds.
    assert "test: 55 patients (44 HGG, 11 LGG)" in words
    assert "fold 0, validation: 62 patients (49 HGG, 13 LGG)" in words
    assert "fold 0, training: 248 patients (196 HGG, 52 LGG)" in words
    assert "in no part of the split: 4 patients" in words
    assert "warning" not in words
    # All 310 are fine-tuned on. Of 245 HGG (44 of 55 tested and 49 of 62 in each fold) and the copies of LGG, with 62.7
    # slices of tumour less 40: 2 x 245 x 22.7.
    assert "finetune llama-grade-one-epoch 310 ~11,123" in words
    assert "learns from training and validation patients alike (`patients: all`)" in words
    assert "axial 22.7, coronal 34.2, sagittal 34.2" in words  # asked, less 40 of each


def test_the_very_file_is_split_into_the_studys_own_patients(whole_cohort: Path, tmp_path: Path) -> None:
    """Only the grid is smaller than the file's, for made-up patients have no more than 16 voxels a side."""
    study = read_study(STUDY)
    study = study.model_copy(update={"grid": study.grid.model_copy(update={"shape": (8, 12, 12)})})
    context = make_context(study, cohort=whole_cohort, out=tmp_path / "run")
    prepare(context)
    split(context)
    assert len(context.tested) == 55
    assert sum(GRADES[id] == "LGG" for id in context.tested) == 11
    for number in range(5):
        fold = context.split.fold(number)
        assert (len(fold.train), len(fold.validation)) == (248, 62)
        assert sum(GRADES[id] == "LGG" for id in fold.validation) == 13
    left = set(GRADES) - {id for part in (context.split.test, *context.split.folds) for id in part}
    assert left == {f"BraTS20_Training_{number}" for number in (349, 357, 360, 366)}


def hypergeometric(high: int, low: int, total_high: int, total_low: int) -> float:
    """Two-sided p of Fisher's exact test by its definition."""
    drawn, total = high + low, total_high + total_low
    chances = [
        comb(total_high, k) * comb(total_low, drawn - k) / comb(total, drawn)
        for k in range(max(0, drawn - total_low), min(drawn, total_high) + 1)
    ]
    own = comb(total_high, high) * comb(total_low, low) / comb(total, drawn)
    return sum(chance for chance in chances if chance <= own * (1 + 1e-9))


@pytest.mark.parametrize(("high", "low", "said"), [(14, 1, True), (12, 3, False)])
def test_a_part_in_another_proportion_is_told_from_a_thousandth_on(high: int, low: int, said: bool) -> None:
    grades = {f"H{n}": 1 for n in range(30)} | {f"L{n}": 0 for n in range(30)}
    test = [f"H{n}" for n in range(high)] + [f"L{n}" for n in range(low)]
    others = sorted(set(grades) - set(test))
    made = Split(tuple(test), (tuple(others[::2]), tuple(others[1::2])), None, "made")
    assert (hypergeometric(high, low, 30, 30) < 0.001) is said
    warnings = [one for one in class_warnings(made, (0,), grades, GLIOMA) if one.startswith("test ")]
    assert bool(warnings) is said


def test_a_part_without_a_grade_is_told_and_refused_where_it_trains() -> None:
    grades = {"a": 1, "b": 1, "c": 0, "d": 1, "e": None}
    made = Split(("c", "a"), (("b",), ("d", "e")), None, "made")
    assert list(class_lines(made, (0,), grades, GLIOMA)) == [
        "fold 0, training: 2 patients (1 HGG, 1 without a grade)",
        "fold 0, validation: 1 patient (1 HGG)",
        "test: 2 patients (1 HGG, 1 LGG)",
    ]
    assert sum("has no LGG" in one for one in class_warnings(made, (0,), grades, GLIOMA)) == 2
    with pytest.raises(SplitError, match="fold 0: no training patient is LGG"):
        refuse_missing_class(made, (0,), grades, GLIOMA)
