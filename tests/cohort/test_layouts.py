"""Every layout is recognised by itself, with its grades, labels and files."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError

from .conftest import AFFINE, MODALITIES, SHAPE, Write, save

ENDINGS_2023 = ("-t2f", "-t1n", "-t1c", "-t2w")


def test_brats_2018_takes_the_grade_from_the_folder(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path / "HGG", "B")
    write_patient(tmp_path / "LGG", "A", suffix=".nii")
    cohort = read_cohort(tmp_path)
    assert cohort.layout == "BraTS 2018/2019"
    assert [(subject.id, subject.grade) for subject in cohort.subjects] == [("A", 0), ("B", 1)]
    assert cohort.labels == {1, 2, 4}


def test_brats_2020_takes_the_grade_from_the_table(tmp_path: Path, write_patient: Write) -> None:
    for id in ("P1", "P2", "P3"):
        write_patient(tmp_path, id)
    (tmp_path / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\nLGG,P2\nHGG,P9\n")
    cohort = read_cohort(tmp_path)
    assert cohort.layout == "BraTS 2020"
    assert [(subject.id, subject.grade) for subject in cohort.subjects] == [("P1", 1), ("P2", 0), ("P3", None)]


def test_brats_2020_refuses_two_grades_of_one_patient(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1")
    (tmp_path / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\nLGG,P1\n")
    with pytest.raises(CohortError, match=r"line 3: P1 .*HGG and LGG"):
        find_cohort(tmp_path)


def test_brats_2021_has_no_grades(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "BraTS2021_00000")
    cohort = read_cohort(tmp_path)
    assert cohort.layout == "BraTS 2021"
    assert cohort.subjects[0].grade is None
    assert cohort.notes == ("no patient has a grade: grade cannot be asked about",)
    (tmp_path / "clinical.csv").write_text("Patient,WHO\n")
    assert find_cohort(tmp_path).notes[0].endswith(" clinical.csv")


def test_brats_2023_calls_enhancing_tumour_3(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "BraTS-GLI-00000-000", ENDINGS_2023, "-seg", labels=(1, 2, 3))
    cohort = read_cohort(tmp_path)
    assert cohort.layout == "BraTS 2023"
    assert cohort.labels == {1, 2, 3}
    assert cohort.subjects[0].images["t1ce"].path.name == "BraTS-GLI-00000-000-t1c.nii.gz"


def write_decathlon(root: Path, labels: dict[str, str]) -> np.ndarray:
    """A patient with a voxel of each of the labels 1, 2 and 3; returns its images (x, y, z, channel)."""
    image = np.random.default_rng(0).integers(0, 900, (*SHAPE, 4), dtype=np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[0, 0] = [1, 2, 3]
    save(root / "imagesTr" / "BRATS_001.nii.gz", image)
    save(root / "labelsTr" / "BRATS_001.nii.gz", mask)
    description = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": labels,
        "training": [{"image": "./imagesTr/BRATS_001.nii.gz", "label": "./labelsTr/BRATS_001.nii.gz"}],
    }
    (root / "dataset.json").write_text(json.dumps(description))
    return image


TASK01 = {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"}  # its own dataset.json


def test_the_decathlon_picks_its_channels_and_labels_by_name(tmp_path: Path) -> None:
    image = write_decathlon(tmp_path, TASK01)
    cohort = read_cohort(tmp_path)
    assert cohort.layout == "Medical Segmentation Decathlon"
    raw = load_subject(cohort.subjects[0], cohort.labels)
    assert np.array_equal(raw.images, np.moveaxis(image, 3, 0))
    assert raw.labels is not None
    assert raw.labels[0, 0].tolist() == [2, 1, 3]  # BraTS 2023: oedema, core that does not enhance, enhancing tumour
    write_decathlon(tmp_path, TASK01 | {"1": "non-enhancing tumor", "2": "edema"})
    other = load_subject(find_cohort(tmp_path).subjects[0], cohort.labels)
    assert other.labels is not None
    assert other.labels[0, 0].tolist() == [1, 2, 3]
    assert other.content != raw.content, "a stored patient with other labels is another one"


@pytest.mark.parametrize("labels", [{}, TASK01 | {"1": "liver"}, TASK01 | {"4": "edema"}])
def test_a_decathlon_whose_labels_are_not_known_is_refused(tmp_path: Path, labels: dict[str, str]) -> None:
    write_decathlon(tmp_path, labels)
    with pytest.raises(
        CohortError,
        match=r"dataset\.json: expected the labels .*(edema, enhancing|different names)",
    ):
        find_cohort(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_any_table_will_do(tmp_path: Path, write_patient: Write, ending: str) -> None:
    for id in ("X", "Y"):
        write_patient(tmp_path, id)
    rows = [
        {"ID": id, "grade": grade, "seg": f"{id}/{id}_seg.nii.gz", "t1n": f"{id}/{id}_t1.nii.gz"}
        | {name: f"{id}/{id}_{name}.nii.gz" for name in ("flair", "t1ce", "t2")}
        for id, grade in (("X", "HGG"), ("Y", None))
    ]
    table = pd.DataFrame(rows)
    path = tmp_path / f"patients{ending}"
    table.to_csv(path, index=False) if ending == ".csv" else table.to_parquet(path)
    for root in (tmp_path, path):
        cohort = read_cohort(root)
        assert cohort.layout == "table"
        assert [(subject.id, subject.grade) for subject in cohort.subjects] == [("X", 1), ("Y", None)]
        assert all(subject.mask for subject in cohort.subjects)


HEADER = "id,grade,flair,t1,t1ce,t2,mask"
FILES = ",".join(f"P1/P1_{name}.nii.gz" for name in (*MODALITIES, "seg"))


def table_of(folder: Path, write_patient: Write, *lines: str, encoding: str = "utf-8") -> Path:
    """A table of one real patient's files, whatever its rows call it."""
    write_patient(folder, "P1")
    (folder / "patients.csv").write_text("\n".join(lines), encoding=encoding)
    return folder


def test_ids_that_read_like_nothing_are_ids_and_cells_that_do_are_empty(tmp_path: Path, write_patient: Write) -> None:
    rows = [f"{id},NA,{FILES.removesuffix('P1/P1_seg.nii.gz')}NA" for id in ("NA", "None", " 007 ")]
    cohort = find_cohort(table_of(tmp_path, write_patient, HEADER, *rows, ",,,,,,"))
    assert [(subject.id, subject.grade, subject.mask) for subject in cohort.subjects] == [
        ("007", None, None),
        ("NA", None, None),
        ("None", None, None),
    ]
    assert cohort.faults == ()


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (f",HGG,{FILES}", "row 3: .*id"),
        (f"../P1,HGG,{FILES}", r"row 3: .*'\.\./P1'"),
        (f"..,HGG,{FILES}", r"row 3: .*'\.\.'"),
        (f"a\\b,HGG,{FILES}", r"row 3: .*'a\\\\b'"),
        (f"P2,HGG,{FILES.replace('_t2.', '_t1.')}", r"P2: .* t1 .* t2.*P1_t1\.nii"),
        (f"P2,V,{FILES}", "P2: .*'V'.* LGG, HGG"),
    ],
)
def test_a_row_at_fault_is_said(tmp_path: Path, write_patient: Write, row: str, found: str) -> None:
    cohort = find_cohort(table_of(tmp_path, write_patient, HEADER, f"P1,HGG,{FILES}", row))
    assert [subject.id for subject in cohort.subjects] == ["P1"]
    (fault,) = cohort.faults
    assert re.match(found, str(fault))


def test_two_columns_of_one_meaning_are_refused(tmp_path: Path, write_patient: Write) -> None:
    folder = table_of(tmp_path, write_patient, f"{HEADER},Label", f"P1,HGG,{FILES},")
    with pytest.raises(CohortError, match=r"patients\.csv: .*mask and Label"):
        find_cohort(folder)


@pytest.mark.parametrize("table", ["patients.csv", "name_mapping.csv"])
def test_a_table_that_is_not_utf_8_says_so(tmp_path: Path, write_patient: Write, table: str) -> None:
    columns = HEADER if table == "patients.csv" else "BraTS_2020_subject_ID,Grade"
    folder = table_of(tmp_path, write_patient, columns, f"Müller,HGG,{FILES}", encoding="latin-1")
    (folder / "patients.csv").rename(folder / table)
    with pytest.raises(CohortError, match=rf"{table}: .*UTF-8"):
        find_cohort(folder)


@given(st.binary(max_size=300))
def test_no_tables_bytes_raise_anything_but_the_reason(tmp_path_factory: pytest.TempPathFactory, rest: bytes) -> None:
    table = tmp_path_factory.getbasetemp() / "wild.csv"
    table.write_bytes(HEADER.encode() + b"\n" + rest)
    try:
        found = find_cohort(table)
    except CohortError:
        return
    assert not found.subjects


def test_an_unknown_folder_is_told_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(CohortError, match=r"notes\.txt") as caught:
        find_cohort(tmp_path)
    assert "BraTS 2020" in str(caught.value)
    with pytest.raises(CohortError, match="nowhere"):
        find_cohort(tmp_path / "nowhere")


def test_a_cohort_without_masks_loads(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1", mask=None)
    cohort = read_cohort(tmp_path)
    assert cohort.subjects[0].mask is None
    assert load_subject(cohort.subjects[0], cohort.labels).labels is None


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "layout", "lgg", "hgg"),
    [("cohort_1mm", "BraTS 2020", 4, 4), ("cohort_2mm", "BraTS 2018/2019", 6, 24), ("lesions", "table", 54, 206)],
)
def test_real_cohorts(shared: Path, folder: str, layout: str, lgg: int, hgg: int) -> None:
    cohort = read_cohort(shared / folder)
    grades = [subject.grade for subject in cohort.subjects]
    assert (cohort.layout, grades.count(0), grades.count(1), cohort.faults) == (layout, lgg, hgg, ())


@pytest.mark.realdata
def test_real_voxels_are_nibabels(shared: Path) -> None:
    import nibabel as nib

    for folder in ("cohort_1mm", "lesions"):
        cohort = find_cohort(shared / folder)
        subject = cohort.subjects[0]
        raw = load_subject(subject, cohort.labels)
        for modality, voxels in zip(MODALITIES, raw.images, strict=True):
            image = nib.load(subject.images[modality].path)
            assert np.allclose(voxels, image.get_fdata(), atol=1e-5)
            assert np.array_equal(raw.affine, image.affine)


def test_the_affine_is_the_files_own(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1")
    cohort = find_cohort(tmp_path)
    assert np.array_equal(load_subject(cohort.subjects[0], cohort.labels).affine, AFFINE)
