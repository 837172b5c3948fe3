"""Whose scan a scan is, by its id or as the cohort says; unsure ids are never grouped, and are said."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.cohort.patients import patient_faults, patient_of, scans_of, suspected
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.read import find_cohort

NUMBERS = st.integers(0, 9999)
PEOPLE = (  # ids of one scan a patient, as collections have them
    "BraTS20_Training_{:03d}", "BraTS19_CBICA_A{:02d}_1", "Brats18_TCIA02_{:03d}_1", "Brats18_2013_{}_1",
    "TCGA-02-{:04d}", "UCSF-PDGM-{:04d}", "sub-{:02d}", "lesion_{:03d}", "BraTS2021_{:05d}", "BraTS-GoAT-{:05d}",
    "BRATS_{:03d}", "P{}", "patient_{:03d}", "Phantom_{:03d}", "Center2_scan{:03d}", "Group1_pre{}", "Study2_T{:04d}",
    "2021-{:04d}",
)  # fmt: skip
SCANS = (  # ids of a scan: the patient, then the time
    ("BraTS-GLI-{:05d}", "-{:03d}"), ("BraTS-MEN-RT-{:04d}", "-{}"), ("UPENN-GBM-{:05d}", "_{:02d}"),
    ("UCSF-PDGM-{:04d}", "_FU{:03d}d_nifti"), ("sub-{:03d}", "_ses-{:02d}"), ("Patient-{:03d}", "_week-{:03d}"),
    ("Patient-{:03d}", "_week-{:03d}-2"), ("PatientID_{:04d}", "_Timepoint_{}"), ("P{}", "_followup{}"),
    ("P{}", "_T{}"), ("{:06d}", "_time{}"), ("AB-{}", "_visit{}"), ("AB-{}", "-Session-{}"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("scan", "patient"),
    [
        ("BraTS-GLI-00005-001", "BraTS-GLI-00005"),
        ("BraTS-PED-00005-000", "BraTS-PED-00005"),
        ("BraTS-MEN-RT-0002-1", "BraTS-MEN-RT-0002"),
        ("UPENN-GBM-00012_21", "UPENN-GBM-00012"),
        ("UCSF-PDGM-0429_FU003d_nifti", "UCSF-PDGM-0429"),
        ("UCSF-PDGM-0429_nifti", "UCSF-PDGM-0429"),
        ("sub-017_ses-02", "sub-017"),
        ("Patient-001_week-000-1", "Patient-001"),
        ("PatientID_0003_Timepoint_2", "PatientID_0003"),
        ("P7_baseline", "P7"),
        ("P7_followup1", "P7"),
        ("P7_visit2_T1", "P7"),
        ("P7_pre", "P7"),
        ("P7-post_op", "P7"),
        ("P7_2", "P7_2"),
        ("AAB_baseline", "AAB_baseline"),  # no number names anybody
    ],
)
def test_the_patient_of_a_scan(scan: str, patient: str) -> None:
    assert patient_of(scan) == patient


@given(st.sampled_from(PEOPLE), NUMBERS)
def test_ids_without_a_time_are_patients_of_their_own(form: str, number: int) -> None:
    id = form.format(number)
    assert patient_of(id) == id


@given(st.sampled_from(SCANS), NUMBERS, NUMBERS, st.integers(0, 9), st.integers(0, 9))
def test_scans_are_one_patients_where_the_patient_is_the_same_and_only_there(
    form: tuple[str, str], one: int, other: int, first: int, second: int
) -> None:
    patient, time = form
    a, b = patient.format(one) + time.format(first), patient.format(other) + time.format(second)
    assert patient_of(a) == patient.format(one)
    assert (patient_of(a) == patient_of(b)) == (one == other)


@given(st.text(min_size=1))
def test_a_patients_name_is_the_beginning_of_the_id_and_names_the_same_patient(id: str) -> None:
    assert id.startswith(patient_of(id))
    assert patient_of(patient_of(id)) == patient_of(id)


def whose(*scans: str) -> dict[str, str]:
    return {scan: patient_of(scan) for scan in scans}


def test_stems_with_a_short_number_are_suspected_and_not_grouped() -> None:
    ids = whose("P1_1", "P2_1", "P2_2", "P3_1", "P3_2", "P3_3")
    assert suspected(ids) == {"P2": ["P2_1", "P2_2"], "P3": ["P3_1", "P3_2", "P3_3"]}
    assert set(ids.values()) == set(ids)
    assert list(suspected(whose("AAB_baseline", "AAB_visit1", "AAC_baseline", "AAD_baseline"))) == ["AAB"]
    assert list(suspected(whose("R1_2014-06-19", "R1_2015-01-02", "R2_20140619", "R3_20140619"))) == ["R1"]


def test_a_scan_beside_those_of_a_patient_who_is_known_is_suspected() -> None:
    assert suspected(whose("P7_baseline", "P7_2", "P8")) == {"P7": ["P7_baseline", "P7_2"]}


@given(st.sampled_from(PEOPLE), st.sets(NUMBERS, min_size=1, max_size=40))
def test_a_collection_of_one_scan_each_is_not_suspected(form: str, numbers: set[int]) -> None:
    assert not suspected(whose(*(form.format(number) for number in sorted(numbers))))


def test_few_stems_with_many_numbers_are_sites() -> None:
    assert not suspected(whose(*(f"{name}_{number:03d}" for name in ("HGG", "LGG") for number in range(1, 12))))
    assert not suspected(whose(*(f"Site{site}_{number:03d}" for site in range(1, 6) for number in range(1, 20))))


def test_scans_of_patients_who_are_known_elsewhere_by_a_scan_or_by_name() -> None:
    patients = {"a1": "Anna", "a2": "Anna", "b1": "Ben", "sub-1_ses-1": "sub-1"}
    assert scans_of(patients, {"a1"}) == ["a1", "a2"]
    assert scans_of(patients, {"Anna"}) == ["a1", "a2"]
    assert scans_of(patients, {"sub-1_ses-9"}) == ["sub-1_ses-1"]  # in no cohort here: by its form
    assert scans_of(patients, {"c1"}) == []


def test_an_id_that_is_another_patients_name_is_a_fault() -> None:
    assert [id for id, _ in patient_faults({"A": "B", "B": "C", "C1": "C"})] == ["B"]
    assert not list(patient_faults({"A": "A", "A_2": "A"}))


def table(folder: Path, ids: dict[str, str], rows: list[tuple[str, ...]]) -> Path:
    """A table of made scans; `ids`: the columns that tell whose they are, `rows` their cells."""
    lines = [",".join([*ids, *GLIOMA.names, "mask"])]
    for number, cells in enumerate(rows):
        names = [f"{number}-{name}.nii.gz" for name in (*GLIOMA.names, "mask")]
        for place, name in enumerate(names):
            voxels = np.full((4, 4, 4), number + place + 1, np.uint8) if place < 4 else np.ones((4, 4, 4), np.uint8)
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / name)
        lines.append(",".join([*cells, *names]))
    (folder / "scans.csv").write_text("\n".join(lines) + "\n")
    return folder / "scans.csv"


def read(path: Path) -> dict[str, str]:
    return {subject.id: subject.patient for subject in find_cohort(path).subjects}


def test_a_table_says_whose_each_scan_is(tmp_path: Path) -> None:
    path = table(
        tmp_path, {"id": "", "Patient": ""}, [("x1", "Anna"), ("x2", " Anna "), ("sub-3_ses-1", ""), ("y", "NA")]
    )
    assert read(path) == {"x1": "Anna", "x2": "Anna", "sub-3_ses-1": "sub-3", "y": "y"}


@pytest.mark.parametrize("names", [("subject", "session"), ("participant_id", "session_id")])
def test_a_table_of_subjects_and_sessions_as_bids_has_them(tmp_path: Path, names: tuple[str, str]) -> None:
    path = table(tmp_path, dict.fromkeys(names, ""), [("K", "1"), ("K", "2"), ("L", "")])
    assert read(path) == {"K_1": "K", "K_2": "K", "L": "L"}


def test_a_subject_alone_is_the_id(tmp_path: Path) -> None:
    assert read(table(tmp_path, {"subject": ""}, [("K",), ("L",)])) == {"K": "K", "L": "L"}


def test_an_id_that_the_table_calls_another_patient_is_left_out_and_named(tmp_path: Path) -> None:
    cohort = find_cohort(table(tmp_path, {"id": "", "patient": ""}, [("A", "B"), ("B", "C"), ("D", "")]))
    assert [subject.id for subject in cohort.subjects] == ["A", "D"]
    assert [str(fault) for fault in cohort.faults] == [
        "B: a scan of patient C, and another patient has the name B: rename one of the two"
    ]


def test_suspected_scans_are_said_with_the_remedy(tmp_path: Path) -> None:
    rows = [(f"P{patient}_{time}",) for patient in (1, 2, 3) for time in (1, 2)]
    (note,) = (note for note in find_cohort(table(tmp_path, {"id": ""}, rows)).notes if "may be" in note)
    assert note.startswith("warning: 6 scans (P1_1, P1_2, …) may be 3 patients")
    assert "column `patient`" in note
    with_column = table(tmp_path, {"id": "", "patient": ""}, [(id, id[:2]) for (id,) in rows])
    assert not [note for note in find_cohort(with_column).notes if "may be" in note]


def test_dataset_json_may_name_the_patient_of_an_entry(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 4), np.uint8), np.eye(4)), tmp_path / "imagesTr" / "a.nii.gz")
    entries = []
    for id, patient in (("s1", {"patient": "Anna"}), ("s2", {"patient": "Anna"}), ("s3", {"patient": 7}), ("s4", {})):
        (tmp_path / "imagesTr" / f"{id}.nii.gz").write_bytes((tmp_path / "imagesTr" / "a.nii.gz").read_bytes())
        entries.append({"image": f"imagesTr/{id}.nii.gz", "label": f"imagesTr/{id}.nii.gz", **patient})
    description = {
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "training": [*entries, {**entries[0], "image": "imagesTr/a.nii.gz", "patient": ["Anna"]}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    assert read(tmp_path) == {"s1": "Anna", "s2": "Anna", "s3": "7", "s4": "s4"}
    assert "patient: expected a name, found ['Anna']" in str(find_cohort(tmp_path).faults[0])
