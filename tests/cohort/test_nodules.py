"""Nodule phantoms: the same bytes each time, and classes that size, density and age tell apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom.nodules import HABITS, write_nodules
from gliobench.cohort.problem import NODULES
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError, RawSubject

from .test_phantom import digests


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nodules")
    write_nodules(out, subjects=9, seed=0)
    return out


def by_class(folder: Path) -> dict[str, list[RawSubject]]:
    cohort = read_cohort(folder, NODULES)
    raw = [load_subject(subject, cohort.labels) for subject in cohort.subjects]
    return {name: [one for one in raw if one.grade == number] for number, name in enumerate(NODULES.classes)}


def test_the_same_seed_gives_the_same_bytes_whatever_the_count(folder: Path, tmp_path: Path) -> None:
    write_nodules(tmp_path, subjects=2, seed=0, workers=1, healthy=1)
    again = {path: digests(tmp_path / path) for path in ("Nodule_001", "Nodule_002")}
    assert again == {path: digests(folder / path) for path in again}
    assert len({*again["Nodule_001"].values(), *again["Nodule_002"].values()}) == 4
    rows = (tmp_path / "cohort.csv").read_text().splitlines()
    assert rows[:3] == (folder / "cohort.csv").read_text().splitlines()[:3]


def test_they_are_a_table_of_the_problem_nodules(folder: Path) -> None:
    cohort = read_cohort(folder, NODULES)
    assert (cohort.layout, cohort.faults, cohort.notes) == ("table", (), ())
    assert [subject.grade for subject in cohort.subjects] == [0, 1, 2] * 3
    assert all(40 < int(subject.variables["age"]) < 90 for subject in cohort.subjects)


def test_classes_differ_in_size_and_density_as_their_habits_do(folder: Path) -> None:
    for name, patients in by_class(folder).items():
        low_mm, high_mm = HABITS[name].radius_mm
        for raw in patients:
            assert raw.images.shape == (1, 96, 96, 24)
            assert np.allclose(np.abs(np.diag(raw.affine)), [0.7, 0.7, 2, 1])
            assert raw.labels is not None
            # Between half the smallest ball and, with spicules, twice the largest.
            assert (raw.labels > 0).sum() * 0.98 / (4 / 3 * np.pi * low_mm**3) > 0.5
            assert (raw.labels > 0).sum() * 0.98 / (4 / 3 * np.pi * high_mm**3) < 2
            inside, lung = raw.images[0][raw.labels > 0], np.median(raw.images[0][raw.labels == 0])
            assert -920 < lung < -800
            low_hu, high_hu = HABITS[name].density_hu
            assert low_hu - 200 < np.median(inside) < high_hu + 50  # the blurred edge is darker


def test_a_healthy_patient_has_no_class_and_an_empty_mask(tmp_path: Path) -> None:
    made = CliRunner().invoke(
        app, ["phantom", str(tmp_path), "--problem", "nodules", "--subjects", "1", "--healthy", "1"]
    )
    assert made.exit_code == 0, made.output
    with pytest.raises(CohortError, match="Healthy_001: the mask is empty"):
        read_cohort(tmp_path, NODULES)
    cohort = read_cohort(tmp_path, replace(NODULES, absent="allowed"))
    assert [(one.id, one.grade) for one in cohort.subjects] == [("Healthy_001", None), ("Nodule_001", 0)]


@pytest.mark.parametrize("options", [["--healthy", "1"], ["--problem", "nodules", "--timepoints", "2"]])
def test_options_of_the_other_problem_are_refused(tmp_path: Path, options: list[str]) -> None:
    made = CliRunner().invoke(app, ["phantom", str(tmp_path / "out"), *options])
    assert (made.exit_code, (tmp_path / "out").exists()) == (2, False)


def test_a_folder_that_holds_others_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("id,class,ct,mask\nMine,benign,a.nii,b.nii\n")
    with pytest.raises(CohortError, match="Mine"):
        write_nodules(tmp_path, subjects=1, seed=0)
    assert find_cohort(tmp_path, NODULES).faults[0].subject_id == "Mine"
