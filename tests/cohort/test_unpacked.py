"""Folders and tables as people have them after unpacking, renaming and saving from a spreadsheet."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError

from .conftest import MODALITIES, Write
from .test_layouts import ENDINGS_2023, FILES, HEADER, TASK01, table_of, write_decathlon


def add_macos(root: Path) -> None:
    for path in list(root.glob("*/*.nii.gz")):
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\x16\7Mac OS X")
    (root / "__MACOSX" / "P1").mkdir(parents=True)
    (root / "__MACOSX" / "P1" / "._P1_t1.nii.gz").write_bytes(b"\0\5\x16\7")
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def add_logs(root: Path) -> None:
    (root / "logs").mkdir()
    (root / "logs" / "run.txt").write_text("epoch 1")


def put_in_folders(root: Path) -> None:
    for path in list(root.glob("*/*.nii.gz")):
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        path.with_suffix("").mkdir()
        (path.with_suffix("") / "volume.nii").write_bytes(content)


def raise_capitals(root: Path) -> None:
    for path in list(root.glob("*/*.nii.gz")):
        path.rename(path.with_name(path.name.upper()))


def with_semicolons(root: Path) -> None:
    path = root / "name_mapping.csv"
    path.write_bytes(("\ufeff" + path.read_text().replace(",", ";")).encode())


@pytest.mark.parametrize("change", [add_macos, add_logs, put_in_folders, raise_capitals, with_semicolons])
@pytest.mark.parametrize("outer", ["", "archive/BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData"])
def test_the_same_patients_are_read(
    tmp_path: Path, write_patient: Write, change: Callable[[Path], None], outer: str
) -> None:
    root = tmp_path / outer
    for id in ("P1", "P2"):
        write_patient(root, id)
    (root / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\nLGG,P2\n")
    plain = [load_subject(subject, frozenset({1, 2, 4})) for subject in find_cohort(tmp_path).subjects]
    change(root)
    cohort = read_cohort(tmp_path)
    assert (cohort.root, cohort.layout) == (root, "BraTS 2020")
    assert [(subject.id, subject.grade) for subject in cohort.subjects] == [("P1", 1), ("P2", 0)]
    for subject, before in zip(cohort.subjects, plain, strict=True):
        raw = load_subject(subject, cohort.labels)
        assert np.array_equal(raw.images, before.images)
        assert np.array_equal(raw.labels, before.labels)


def test_of_two_cohorts_inside_the_one_with_masks_is_meant(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path / "training" / "inner", "P1")
    write_patient(tmp_path / "validation" / "inner", "P2", mask=None)
    assert find_cohort(tmp_path).root == tmp_path / "training" / "inner"
    write_patient(tmp_path / "validation" / "inner", "P3")
    with pytest.raises(CohortError, match=r"/training/inner, .*/validation/inner"):
        find_cohort(tmp_path)


def test_grade_folders_in_small_letters(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path / "hgg", "P1")
    write_patient(tmp_path / "Lgg", "P2")
    assert [(one.id, one.grade) for one in find_cohort(tmp_path).subjects] == [("P1", 1), ("P2", 0)]


def test_a_missing_mask_is_named_with_what_may_be_it(tmp_path: Path, write_patient: Write) -> None:
    for id in ("P1", "P2"):
        write_patient(tmp_path, id)
    (tmp_path / "P1" / "P1_seg.nii.gz").rename(tmp_path / "P1" / "W39_1998.09.19_Segm.nii.gz")
    note, _ = read_cohort(tmp_path).notes
    assert "1 patient (P1) without a mask" in note
    assert "W39_1998.09.19_Segm.nii.gz" in note


def test_ids_that_only_the_table_or_only_the_folders_have_are_noted(tmp_path: Path, write_patient: Write) -> None:
    for id in ("P1", "P2"):
        write_patient(tmp_path, id)
    (tmp_path / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\nHGG,P7\nLGG,P8\n")
    assert find_cohort(tmp_path).notes == (
        "1 patient (P2): not in name_mapping.csv, so the grade is not known",
        "name_mapping.csv lists 2 patients (P7, P8) without a folder",
    )


def test_a_table_none_of_whose_ids_fits_is_refused(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1")
    (tmp_path / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,p_1\n")
    with pytest.raises(CohortError, match=r"1 ids \(p_1, …\).*\(P1, …\)"):
        find_cohort(tmp_path)


def test_a_listed_patient_whose_folder_is_empty_is_at_fault(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1")
    (tmp_path / "P2").mkdir()
    (tmp_path / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\nHGG,P2\n")
    assert [fault.subject_id for fault in find_cohort(tmp_path).faults] == ["P2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_separate_as_they_like(tmp_path: Path, write_patient: Write, delimiter: str) -> None:
    rows = (HEADER.replace("grade", "WHO grade"), f"P1,1,{FILES}")
    folder = table_of(tmp_path, write_patient, *(row.replace(",", delimiter) for row in rows))
    (subject,) = read_cohort(folder).subjects
    assert (subject.id, subject.grade) == ("P1", 0)


def test_two_tables_in_one_folder_have_to_be_told_apart(tmp_path: Path, write_patient: Write) -> None:
    folder = table_of(tmp_path, write_patient, HEADER, f"P1,HGG,{FILES}")
    (folder / "test.csv").write_text(f"{HEADER}\nP9,LGG,{FILES}\n")
    with pytest.raises(CohortError, match=r"patients\.csv, test\.csv"):
        find_cohort(folder)
    assert [subject.id for subject in find_cohort(folder / "test.csv").subjects] == ["P9"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P1")
    folder = write_patient(tmp_path, "P2")
    folder.chmod(0)
    assert [str(fault) for fault in find_cohort(tmp_path).faults] == [
        f"P2: cannot be read: Permission denied ({folder})"
    ]


def described(root: Path, **changed: object) -> dict[str, object]:
    write_decathlon(root, TASK01)
    return json.loads((root / "dataset.json").read_text()) | changed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "line 1"),
        ("[1]", r"\[1\]"),
        ("[" * 100_000, ""),
        ('{"modality": 3}', "modality: .*3"),
        ('{"modality": {"0": ["FLAIR"]}}', "modality: .*FLAIR"),
        ('{"modality": {"zero": "FLAIR"}}', "modality: .*zero"),
        ('{"channel_names": {"0": "FLAIR"}}', "no channel for t1, t1ce, t2"),
        ("\xff", "UTF-8"),
    ],
)
def test_an_odd_description_is_refused_in_a_line(tmp_path: Path, text: str, found: str) -> None:
    write_decathlon(tmp_path, TASK01)
    (tmp_path / "dataset.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CohortError, match=found) as caught:
        find_cohort(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "entry", ["./imagesTr/BRATS_001.nii.gz", {"image": "./imagesTr/BRATS_001.nii.gz"}, {"image": 1, "label": 2}, None]
)
def test_an_entry_that_names_no_image_and_label_is_a_fault(tmp_path: Path, entry: object) -> None:
    content = described(tmp_path)
    content["training"] = [*content["training"], entry]  # type: ignore[misc]
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8-sig")
    cohort = find_cohort(tmp_path)
    assert [subject.id for subject in cohort.subjects] == ["BRATS_001"]
    assert [fault.subject_id for fault in cohort.faults] == ["training, entry 2"]


def test_modalities_in_a_list_count_from_0(tmp_path: Path) -> None:
    content = described(tmp_path, modality=["FLAIR", "T1w", "t1gd", "T2w"])
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (subject,) = read_cohort(tmp_path).subjects
    assert [subject.images[name].channel for name in MODALITIES] == [0, 1, 2, 3]


def test_brats_2023_in_capitals(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "BraTS-GLI-00000-000", ENDINGS_2023, "-seg", labels=(1, 2, 3))
    raise_capitals(tmp_path)
    assert read_cohort(tmp_path).layout == "BraTS 2023"
