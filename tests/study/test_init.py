"""`gliobench init`: what data of any naming are taken for, and the study file that follows."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom import write_phantom
from gliobench.cohort.phantom.nodules import write_nodules
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import read_cohort
from gliobench.cohort.subject import Cohort, CohortError
from gliobench.errors import GliobenchError
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.starting.init import init_study

SHAPE = (8, 10, 6)
AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])


def save(path: Path, labels: Sequence[int] | None = None, shape: tuple[int, ...] = SHAPE) -> None:
    """Noise from 0 to 499 without two volumes alike; or a mask with 10 voxels of each label."""
    random = np.random.default_rng(list(str(path.name).encode()) + list(path.parent.name.encode()))
    voxels = random.integers(0, 500, shape, dtype=np.int16)
    if labels is not None:
        voxels = np.zeros(shape, np.int16)
        voxels.flat[: 10 * len(labels)] = np.repeat(labels, 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, AFFINE), path)


def write_csv(path: Path, *rows: Sequence[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


class Said:
    """A voice that keeps what it says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    from gliobench.study.state.progress import Silent

    bar = Silent.bar


def started(source: Path, out: Path, wanted: str | None = None) -> tuple[Study, Cohort, list[str]]:
    """The study that is written, its cohort, every voxel checked, and what was said."""
    voice = Said()
    study = read_study(init_study(source, out, wanted=wanted, voice=voice))
    assert study.cohort is not None
    return study, read_cohort(study.cohort, study.problem), voice.lines


def test_gliomas_in_a_layout_of_brats_need_no_problem(tmp_path: Path) -> None:
    write_phantom(tmp_path / "data", subjects=2, seed=0, spacing_mm=4)
    study, cohort, said = started(tmp_path / "data", tmp_path / "out")
    assert (study.name, study.problem, cohort.layout) == ("data", GLIOMA, "BraTS 2020")
    assert "problem:" not in (tmp_path / "out/study.yaml").read_text()
    assert "classes, from low to high: LGG 1, HGG 1" in said
    assert np.prod(study.grid.shape) < 2.2e6


def test_a_table_that_can_be_read_is_named_as_it_is(tmp_path: Path) -> None:
    write_nodules(tmp_path / "data", subjects=3, seed=0, healthy=1)
    study, cohort, said = started(tmp_path / "data", tmp_path / "out")
    problem = study.problem
    assert study.cohort == tmp_path / "data/cohort.csv"
    assert (problem.classes, problem.ordered) == (("benign", "indeterminate", "malignant"), True)
    assert problem.images[0].window == (-1000, 400)  # below -500: Hounsfield units
    assert (problem.body, problem.absent) == ("everything", "allowed")
    assert study.grid.shape == (72, 96, 96)  # 48 x 67.2 x 67.2 mm at the median spacing of 0.7 mm, in eights
    assert any(line.startswith("  empty: 1 patient (Healthy_001)") for line in said)
    assert [subject.grade for subject in cohort.subjects] == [None, 0, 1, 2]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"study.yaml"}


def odd_table(folder: Path) -> Path:
    """Columns of other names: two scans of the first patient, one image missing, a readers' map, a clinical value."""
    rows = [("Case ID", "patient_id", "T1 post", "reader votes", "lesion_mask", "age", "Diagnosis")]
    for number, (patient, diagnosis) in enumerate(
        [("P1", "Malignant"), ("P1", "malignant"), ("P2", "benign"), ("P3", "benign"), ("P4", "unknown")], start=1
    ):
        names = [f"files/{number}_{kind}.nii.gz" for kind in ("t1", "votes", "lesion")]
        save(folder / names[0])
        save(folder / names[1], labels=(1, 2, 3, 4))
        save(folder / names[2], labels=(1, 2) if number == 1 else (1,))
        rows.append((f"S{number}", patient, *names, str(50 + number), diagnosis))
    return write_csv(folder / "clinic.csv", *rows)


def test_a_table_with_other_names_is_written_anew(tmp_path: Path) -> None:
    table = odd_table(tmp_path)
    table.write_text(table.read_text().replace("Case ID", "case_id"))
    study, cohort, said = started(table, tmp_path / "out")
    assert study.cohort == tmp_path / "out/cohort.csv"
    assert study.cohort.read_text().splitlines()[0] == "id,patient,T1-post,class,mask,age".lower()
    assert [(one.id, one.patient, one.grade) for one in cohort.subjects] == [
        *(("S1", "P1", 1), ("S2", "P1", 1), ("S3", "P2", 0), ("S4", "P3", 0), ("S5", "P4", None)),
    ]
    assert cohort.subjects[0].variables == {"age": "51"}
    assert (study.problem.positive, study.problem.unknown) == ("Malignant", ("unknown",))  # as first written
    assert study.problem.image_words("t1-post") == "T1 post"
    assert {region.name: region.labels for region in study.problem.regions} == {"region-1": (1,), "region-2": (2,)}
    assert "  label 2 (region-2): in 1 scans, median 0.12 ml" in said  # 10 voxels of 12 mm3
    assert any(line.startswith("reader votes: few whole numbers") for line in said)


def test_any_column_may_be_the_class(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.nii")
    rows = [(f"P{number}", f"{number}.nii", ("stage II", "stage IV", "stage I", "")[number]) for number in range(4)]
    table = write_csv(tmp_path / "t.csv", ("id", "ct", "tumour extent"), *rows)
    with pytest.raises(StudyError, match="neither classes nor masks"):
        init_study(table, tmp_path / "none")
    study, cohort, _ = started(table, tmp_path / "out", wanted="tumour extent")
    assert study.problem.classes == ("stage I", "stage II", "stage IV")
    assert [subject.grade for subject in cohort.subjects] == [1, 2, 0, None]
    assert not any(task in study.tasks for task in ("mask", "box"))


def test_the_mask_without_a_name_is_known_by_its_voxels(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}_ct.nii.gz")
        save(tmp_path / f"{number}_truth.nii.gz", labels=(1,))
    rows = [(f"P{number}", f"{number}_truth.nii.gz", f"{number}_ct.nii.gz") for number in range(3)]
    study, cohort, _ = started(write_csv(tmp_path / "t.csv", ("id", "truth", "ct"), *rows), tmp_path / "out")
    assert study.problem.names == ("ct",)
    assert all(subject.mask is not None for subject in cohort.subjects)


@pytest.mark.parametrize(
    ("names", "mask"),
    [
        (("{id}/{id}_adc.nii.gz", "{id}/{id}_hbv.nii.gz"), "{id}/{id}_lesion_seg.nii.gz"),
        (("{id}/adc.nii", "{id}/hbv.nii"), "{id}/mask.nii"),
        (("{id}/scan-{n}_adc.nii.gz", "{id}/scan-{n}_hbv.nii.gz"), "{id}/scan-{n}_label.nii.gz"),
        (("{id}_adc.nii.gz", "{id}_hbv.nii.gz"), "{id}_segmentation.nii.gz"),
        (("site_1_{id}-adc.nii", "site_1_{id}-hbv.nii"), "site_1_{id}-mask.nii"),
    ],
)
def test_files_of_any_names_are_told_apart_by_their_ends(tmp_path: Path, names: tuple[str, str], mask: str) -> None:
    for number, id in enumerate(("Pat_A", "Pat_B", "Pat_C"), start=1):
        for name in names:
            save(tmp_path / "data" / name.format(id=id, n=number))
        if number < 3:
            save(tmp_path / "data" / mask.format(id=id, n=number), labels=(1, 2))
    study, cohort, said = started(tmp_path / "data", tmp_path / "out")
    assert study.problem.names == ("adc", "hbv")
    assert [subject.id.removeprefix("site_1_") for subject in cohort.subjects] == ["Pat_A", "Pat_B", "Pat_C"]
    assert [subject.mask is None for subject in cohort.subjects] == [False, False, True]
    assert all("hbv" in subject.images["hbv"].path.name for subject in cohort.subjects)
    assert any(line.startswith("without ") and "(" in line and "Pat_C" in line for line in said)


def test_masks_of_other_things_are_no_images(tmp_path: Path) -> None:
    for id in ("A", "B"):
        save(tmp_path / "data" / id / "ct.nii.gz")
        for name in ("mask", "brain_mask", "readers"):
            save(tmp_path / "data" / id / f"{name}.nii.gz", labels=(1, 2))
    study, cohort, said = started(tmp_path / "data", tmp_path / "out")
    assert study.problem.names == ("ct",)
    assert [subject.mask and subject.mask.name for subject in cohort.subjects] == ["mask.nii.gz"] * 2
    assert {line.split(":")[0] for line in said if "few whole numbers" in line} == {"brain_mask", "readers"}


def test_one_image_named_after_the_patient_alone(tmp_path: Path) -> None:
    for id in ("001", "002", "003"):
        save(tmp_path / "data" / f"{id}.nii.gz")
        save(tmp_path / "data" / f"{id}_mask.nii.gz", labels=(1,))
    study, cohort, _ = started(tmp_path / "data", tmp_path / "out")
    assert study.problem.names == ("image",)
    assert [(one.id, one.mask is not None) for one in cohort.subjects] == [("001", True), ("002", True), ("003", True)]


def test_an_image_that_some_lack_is_named_and_not_used(tmp_path: Path) -> None:
    for id in ("A", "B", "C"):
        save(tmp_path / "data" / id / "ct.nii.gz")
        save(tmp_path / "data" / id / "seg.nii.gz", labels=(1,))
        if id != "B":
            save(tmp_path / "data" / id / "pet.nii.gz")
    study, _, said = started(tmp_path / "data", tmp_path / "out")
    assert study.problem.names == ("ct",)
    assert {"without pet: 1 patient (B)", "not used, as not all patients have them: pet"} <= {*said}


def write_described(root: Path, description: dict[str, object], images: Sequence[str], masks: Sequence[str]) -> None:
    for name in images:
        save(root / "imagesTr" / name)
    for name in masks:
        save(root / "labelsTr" / name, labels=(1, 2))
    (root / "dataset.json").write_text(json.dumps(description))


def test_the_decathlon_by_its_description(tmp_path: Path) -> None:
    cases = [f"liver_{number}.nii.gz" for number in range(3)]
    training = [{"image": f"./imagesTr/{case}", "label": f"./labelsTr/{case}"} for case in cases]
    labels = {"0": "background", "1": "liver", "2": "cancer"}
    description = {"modality": {"0": "CT"}, "labels": labels, "training": training}
    write_described(tmp_path / "Task03", description, cases, cases)
    study, cohort, _ = started(tmp_path / "Task03", tmp_path / "out")
    assert (study.problem.names, cohort.layout) == (("ct",), "Medical Segmentation Decathlon")
    assert {region.name: region.labels for region in study.problem.regions} == {"liver": (1,), "cancer": (2,)}
    assert study.problem.classes == ()


def test_nnunets_raw_folder_by_its_description(tmp_path: Path) -> None:
    description = {
        "channel_names": {"0": "T2", "1": "ADC map"},
        "labels": {"background": 0, "gland": [1, 2], "lesion": 2},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    images = [f"c{number}_{channel:04d}.nii.gz" for number in range(3) for channel in range(2)]
    write_described(tmp_path / "Dataset001", description, images, [f"c{number}.nii.gz" for number in range(3)])
    study, cohort, _ = started(tmp_path / "Dataset001", tmp_path / "out")
    assert (study.problem.names, cohort.layout) == (("t2", "adc-map"), "nnU-Net raw")
    assert {region.name: region.labels for region in study.problem.regions} == {"gland": (1, 2), "lesion": (2,)}
    assert cohort.subjects[0].images["adc-map"].path.name == "c0_0001.nii.gz"


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    write_nodules(tmp_path / "data", subjects=2, seed=0)
    (tmp_path / "study.yaml").write_text("mine")
    asked = ["init", str(tmp_path / "data"), "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, StudyError)
    assert "--force" in str(refused.exception)
    assert (tmp_path / "study.yaml").read_text() == "mine"
    made = CliRunner().invoke(app, [*asked, "--force"])
    assert made.exit_code == 0, made.output
    assert f"gliobench run {tmp_path / 'study.yaml'}" in made.output.replace("\n", "")
    assert read_study(tmp_path / "study.yaml").problem.names == ("ct",)


def test_a_table_never_replaces_the_one_that_it_is_made_of(tmp_path: Path) -> None:
    table = odd_table(tmp_path).rename(tmp_path / "cohort.csv")
    table.write_text(before := table.read_text().replace("Case ID", "case_id"))
    with pytest.raises(StudyError, match="would be overwritten"):
        init_study(table, tmp_path, force=True)
    assert table.read_text() == before


def test_invalid_patients_are_named_and_the_others_still_count(tmp_path: Path) -> None:
    for id in ("A", "B", "C"):
        save(tmp_path / "data" / id / "ct.nii.gz")
        save(tmp_path / "data" / id / "seg.nii.gz", labels=(1,), shape=(8, 10, 50) if id == "B" else SHAPE)
    voice = Said()
    study = init_study(tmp_path / "data", tmp_path / "out", voice=voice)
    assert any(line.startswith("invalid: B: ") for line in voice.lines)
    assert "--skip-bad" in study.read_text()


@pytest.mark.parametrize(
    ("rows", "wanted", "found"),
    [
        ([("id", "age"), ("A", "50")], None, "no column names images.*found id, age"),
        ([("id", "ct"), ("A", "gone.nii.gz")], None, "no file that the column ct names exists.*gone.nii.gz"),
        ([("ct", "x"), ("0.nii", "1")], None, "no column names the scans: expected one of id,.*found x"),
        ([("id", "ct"), ("A", "0.nii"), ("A", "1.nii")], None, "no column names the scans"),
        ([("id", "ct", "ct"), ("A", "0.nii", "1.nii")], None, "the columns ct are duplicated"),
        ([("id", "mask"), ("A", "0.nii")], None, "hold masks alone"),
        ([("id", "ct", "a_mask", "b_mask"), ("A", *["0.nii"] * 3)], None, "a_mask, b_mask all look like the mask"),
        (
            [("id", "ct", "age"), *((str(n), "0.nii", str(n)) for n in range(12))],
            "age",
            "12 different values; expected 2",
        ),
        ([("id", "ct"), ("A", "0.nii")], "grade", "no column grade for the class; found id"),
        ([("id", "ct", "class"), ("A", "0.nii", "gut"), ("B", "1.nii", "böse")], None, "classes: .*böse"),
    ],
)
def test_a_table_that_cannot_be_used(
    tmp_path: Path, rows: list[tuple[str, ...]], wanted: str | None, found: str
) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.nii")
    with pytest.raises(CohortError, match=found):
        init_study(write_csv(tmp_path / "t.csv", *rows), tmp_path / "out", wanted=wanted)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(tmp_path / "two/A/first.nii")
    save(tmp_path / "two/B/second.nii")
    (tmp_path / "notes.txt").write_text("")
    for name, found in (
        ("empty", "found 0 patients; expected two or more"),
        ("two", r"none of the 2 patients' files end alike .*first \(1\)"),
        ("gone", "no such folder or table"),
        ("notes.txt", r"expected a folder, or a table that ends in \.csv or \.parquet"),
    ):
        with pytest.raises(GliobenchError, match=found):
            init_study(tmp_path / name, tmp_path / "out")


@pytest.mark.realdata
def test_real_nodules_are_recognised_and_planned(shared: Path, tmp_path: Path) -> None:
    with (shared / "nodules/subjects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:24]
    for row in rows:
        row |= {name: str((shared / "nodules" / row[name]).resolve()) for name in ("image", "mask", "readers")}
    table = write_csv(tmp_path / "subjects.csv", list(rows[0]), *(list(row.values()) for row in rows))
    made = CliRunner().invoke(app, ["init", str(table), "--out", str(tmp_path)])
    assert made.exit_code == 0, made.output
    assert "readers: few whole numbers" in made.output
    study = read_study(tmp_path / "study.yaml")
    assert study.cohort == table
    assert (study.problem.names, study.problem.classes) == (("image",), ("benign", "indeterminate", "malignant"))
    planned = CliRunner().invoke(app, ["plan", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "run")])
    assert planned.exit_code == 0, planned.output
    assert "test: 7 patients" in planned.output
