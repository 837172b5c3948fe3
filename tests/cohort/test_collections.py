"""The collections that people download, with the names that they have there."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.label_schemes import SCHEMES
from gliobench.cohort.layouts import LAYOUTS
from gliobench.cohort.problem import GLIOMA, NODULES, Problem
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import Cohort, CohortError

from .conftest import SHAPE, save
from .test_layouts import TASK01, write_decathlon

UCSF_COLUMNS = "ID,Sex,Age at MRI,WHO CNS Grade,Final pathologic diagnosis (WHO 2021),MGMT status"


def touch(folder: Path, *names: str) -> Path:
    """Empty files, for what is found without reading a voxel."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.nii.gz").touch()
    return folder


def ucsf(root: Path, *ids: str, rows: tuple[str, ...] = ()) -> Path:
    for id in ids or ("UCSF-PDGM-0004",):
        own = ("FLAIR", "T1", "T1c", "T2", "T1_bias", "T1c_bias", "ADC", "SWI", "DTI_eddy_FA", "brain_segmentation")
        folder = touch(root / "UCSF-PDGM-v5" / f"{id}_nifti", *(f"{id}_{name}" for name in own))
        touch(folder, f"{id}_tumor_segmentation")
    if rows:
        (root / "UCSF-PDGM-metadata_v5.csv").write_text("\n".join((UCSF_COLUMNS, *rows)) + "\n")
    return root / "UCSF-PDGM-v5"


def upenn(root: Path) -> Path:
    images = root / "NIfTI-files" / "images_structural"
    for id in ("UPENN-GBM-00001_11", "UPENN-GBM-00002_11", "UPENN-GBM-00002_21"):
        touch(images / id, *(f"{id}_{name}" for name in ("FLAIR", "T1", "T1GD", "T2")))
        touch(root / "NIfTI-files" / "images_structural_unstripped" / id, f"{id}_T1_unstripped")
    touch(images.parent / "images_segm", "UPENN-GBM-00001_11_segm")
    automated = (f"UPENN-GBM-0000{number}_11_automated_approx_segm" for number in (1, 2))
    touch(images.parent / "automated_segm", *automated)
    return images.parent


def egd(root: Path, count: int = 1) -> Path:
    for number in range(1, count + 1):
        for place in ("1_T1", "2_T1GD", "3_T2", "4_FLAIR", "5_MASK"):
            touch(root / "SUBJECTS" / f"EGD-{number:04d}" / place / "NIFTI", place[2:])
    touch(root / "METADATA", "Brain_mask")
    return root / "SUBJECTS"


def tcga(root: Path) -> Path:
    for collection, id, mask in (("GBM", "TCGA-02-0006", "_ManuallyCorrected"), ("LGG", "TCGA-CS-4942", "")):
        folder = root / f"Pre-operative_TCGA_{collection}_NIfTI_and_Segmentations" / id
        names = ("flair", "t1", "t1Gd", "t2", "GlistrBoost", f"GlistrBoost{mask}")
        touch(folder, *(f"{id}_1996.08.23_{name}" for name in names))
    return root


def bids(root: Path, *scans: str, table: str = "participant_id\tsex\tgrade\nsub-01\tF\t4\n") -> Path:
    for scan in scans or ("sub-01",):
        stem = scan.replace("/", "_")
        names = ("T1w", "ce-GADOLINIUM_T1w", "T2w", "FLAIR")
        touch(root / scan / "anat", *(f"{stem}_{name}" for name in names))
        touch(root / "derivatives" / "manual" / scan / "anat", f"{stem}_dseg")
    (root / "participants.tsv").write_text(table)
    return root


def brats(layout: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        folder = root / "HGG" if layout == "2018" else root
        ends = ("-t2f", "-t1n", "-t1c", "-t2w") if layout == "2023" else ("_flair", "_t1", "_t1ce", "_t2")
        touch(folder / "P1", *(f"P1{end}" for end in ends))
        if layout == "2020":
            (root / "name_mapping.csv").write_text("Grade,BraTS_2020_subject_ID\nHGG,P1\n")
        return root

    return write


def decathlon(root: Path) -> Path:
    write_decathlon(root, TASK01)
    return root


def table(root: Path) -> Path:
    touch(root, "a", "b", "c", "d")
    (root / "scans.csv").write_text("id,flair,t1,t1ce,t2\nP1,a.nii.gz,b.nii.gz,c.nii.gz,d.nii.gz\n")
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "table": table,
    "UCSF-PDGM": ucsf,
    "UPENN-GBM": upenn,
    "Erasmus Glioma Database": egd,
    "BraTS-TCGA": tcga,
    "BIDS": bids,
    "BraTS 2018/2019": brats("2018"),
    "BraTS 2020": brats("2020"),
    "BraTS 2021": brats("2021"),
    "BraTS 2023": brats("2023"),
    "Medical Segmentation Decathlon": decathlon,
}


@pytest.mark.parametrize("name", WRITERS)
def test_only_its_own_layout_recognises_a_data_set(tmp_path: Path, name: str) -> None:
    root = WRITERS[name](tmp_path / "outer" / "data")
    also = {"BraTS 2021"} if name == "BraTS 2020" else set()  # with a table more, which goes first
    assert {layout.name for layout in LAYOUTS.values() if layout.recognises(root, GLIOMA)} == {name} | also
    for parent in (root, tmp_path / "outer", tmp_path):
        cohort = find_cohort(parent)
        assert (cohort.layout, cohort.faults) == (name, ())
        assert cohort.subjects


def grades(cohort: Cohort) -> dict[str, int | None]:
    return {subject.id: subject.grade for subject in cohort.subjects}


def test_ucsf_ids_have_three_digits_in_the_table_and_four_in_the_folders(tmp_path: Path) -> None:
    rows = (
        'UCSF-PDGM-004,M,66,4,"Glioblastoma, IDH-wildtype",negative',
        "UCSF-PDGM-005,F,80,3,Astrocytoma,",
        "UCSF-PDGM-429,F,51,2,Oligodendroglioma,positive",
        "UCSF-PDGM-0429_FU003d,F,51,4,Astrocytoma,positive",
        "UCSF-PDGM-541,F,51,4,,positive",
    )
    ids = ("UCSF-PDGM-0004", "UCSF-PDGM-0005", "UCSF-PDGM-0006", "UCSF-PDGM-0429", "UCSF-PDGM-0429_FU003d")
    cohort = find_cohort(ucsf(tmp_path, *ids, rows=rows))
    assert grades(cohort) == dict(zip(ids, (1, 0, None, 0, 1), strict=True))
    first, *_, baseline, later = cohort.subjects
    assert baseline.patient == later.patient == "UCSF-PDGM-0429"
    assert first.variables["Age at MRI"] == "66"
    assert "WHO CNS Grade" not in first.variables
    assert first.images["t1ce"].path.name == "UCSF-PDGM-0004_T1c.nii.gz"
    assert first.mask is not None
    assert first.mask.name == "UCSF-PDGM-0004_tumor_segmentation.nii.gz"
    assert cohort.notes == (
        "WHO grades are read as BraTS has them: 1, 2 and 3 are LGG, 4 is HGG",
        "1 patient (UCSF-PDGM-0006): not in UCSF-PDGM-metadata_v5.csv, so the grade is not known",
        "UCSF-PDGM-metadata_v5.csv lists 1 patient (UCSF-PDGM-0541) without a folder",
    )


def test_ucsf_without_its_table_has_no_grades_and_says_which_one_has(tmp_path: Path) -> None:
    root = ucsf(tmp_path, "UCSF-PDGM-0004", "UCSF-PDGM-0005")
    (root / "UCSF-PDGM-0005_nifti" / "UCSF-PDGM-0005_tumor_segmentation.nii.gz").unlink()
    (root / "UCSF-PDGM-0006_nifti").mkdir()  # not downloaded yet
    cohort = find_cohort(root)
    assert grades(cohort) == {"UCSF-PDGM-0004": None, "UCSF-PDGM-0005": None}
    assert [fault.subject_id for fault in cohort.faults] == ["UCSF-PDGM-0006"]
    assert "no UCSF-PDGM-metadata*.csv in" in cohort.notes[0]
    assert any("(UCSF-PDGM-0005) without a mask" in note for note in cohort.notes)


def test_other_classes_and_images_are_read_by_their_names(tmp_path: Path) -> None:
    rows = ("UCSF-PDGM-004,M,66,4,x,negative", "UCSF-PDGM-005,F,80,3,x,positive", "UCSF-PDGM-006,F,80,3,x,unknown")
    root = ucsf(tmp_path, *(f"UCSF-PDGM-000{number}" for number in (4, 5, 6)), rows=rows)
    problem = Problem(
        name="methylation",
        images={"adc": {}, "t1ce": {}},  # type: ignore[arg-type]
        classes=("negative", "positive"),
        unknown=("unknown",),
        asked="MGMT status",
    )
    cohort = find_cohort(root, problem)
    assert list(grades(cohort).values()) == [0, 1, None]
    assert cohort.subjects[0].images["adc"].path.name == "UCSF-PDGM-0004_ADC.nii.gz"
    assert cohort.subjects[0].variables["WHO CNS Grade"] == "4"


def test_upenn_masks_corrected_by_experts_come_first(tmp_path: Path) -> None:
    root = upenn(tmp_path)
    (tmp_path / "UPENN-GBM_clinical_info_v2.1.csv").write_text(
        "ID,Gender,Age_at_scan_years,KPS\nUPENN-GBM-00001_11,F,55,Not Available\nUPENN-GBM-00002_11,M,60,90\n"
        "UPENN-GBM-00002_21,M,61,\n"
    )
    for named in (root, root / "images_structural"):
        cohort = find_cohort(named)
        one, other, later = cohort.subjects
        assert [one.grade, other.grade, later.grade] == [1, 1, 1]
        assert (one.mask, other.mask, later.mask) == (
            root / "images_segm" / "UPENN-GBM-00001_11_segm.nii.gz",
            root / "automated_segm" / "UPENN-GBM-00002_11_automated_approx_segm.nii.gz",
            None,
        )
        assert other.patient == later.patient == "UPENN-GBM-00002"
        assert one.variables == {"Gender": "F", "Age_at_scan_years": "55"}
        assert [note for note in cohort.notes if "made by a program" in note] == [cohort.notes[1]]
        assert cohort.notes[1].startswith("warning: 1 patient (UPENN-GBM-00002_11): ")


def test_egd_grades_are_in_each_patients_description_or_in_the_table(tmp_path: Path) -> None:
    root = egd(tmp_path, 4)
    for number, grade in ((1, 4), (2, 2), (3, -1)):
        labels = {"Genetic_and_Histological_labels": {"IDH": -1, "Grade": grade}, "Clinical_data": {"Sex": "M"}}
        (root / f"EGD-{number:04d}" / "metadata.json").write_text(json.dumps(labels))
    cohort = find_cohort(tmp_path)
    assert list(grades(cohort).values()) == [1, 0, None, None]
    assert cohort.subjects[0].variables == {"Sex": "M"}
    path = tmp_path / "METADATA" / "Genetic_and_Histological_labels.csv"
    path.with_suffix(".xlsx").touch()
    assert any("Genetic_and_Histological_labels.xlsx is not read" in note for note in find_cohort(tmp_path).notes)
    path.write_text("Subject,IDH,1p19q,Grade\nEGD-0003,1,0,3\nEGD-0004,0,0,4\nEGD-0009,0,0,4\n")
    assert list(grades(find_cohort(tmp_path)).values()) == [1, 0, None, 1]  # a patient's own description counts
    assert any("lists 1 patient (EGD-0009) without a folder" in note for note in find_cohort(tmp_path).notes)
    (root / "EGD-0001" / "metadata.json").write_text("[]")
    with pytest.raises(CohortError, match=r"EGD-0001/metadata\.json: expected JSON"):
        find_cohort(tmp_path)


def test_egd_as_its_downloader_stores_it_marks_the_whole_tumour_alone(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[0, 0, 0] = 1
    for name in ("FLAIR", "T1", "T1GD", "T2"):
        save(tmp_path / "MR_EGD-0007" / f"{name}.nii.gz", np.random.default_rng(len(name)).random(SHAPE, np.float32))
    save(tmp_path / "MR_EGD-0007" / "MASK.nii.gz", mask)
    save(tmp_path / "MR_EGD-0007" / "T2.nii.gz", np.random.default_rng(9).random(SHAPE, np.float32))
    cohort = read_cohort(tmp_path)
    (subject,) = cohort.subjects
    assert (subject.id, cohort.labels) == ("EGD-0007", {1})
    assert cohort.notes[0] == "1 patient (EGD-0007): the mask marks the whole tumour and none of its parts"
    labels = load_subject(subject, cohort.labels).labels
    assert labels is not None
    assert np.array_equal(labels > 0, mask > 0)


def test_both_collections_of_tcga_in_one_folder_are_one_cohort(tmp_path: Path) -> None:
    cohort = find_cohort(tcga(tmp_path))
    assert grades(cohort) == {"TCGA-02-0006": 1, "TCGA-CS-4942": 0}
    high, low = cohort.subjects
    assert high.images["t1"].path.name == "TCGA-02-0006_1996.08.23_t1.nii.gz"
    assert high.mask is not None
    assert high.mask.name == "TCGA-02-0006_1996.08.23_GlistrBoost_ManuallyCorrected.nii.gz"
    assert low.mask is not None
    assert low.mask.name == "TCGA-CS-4942_1996.08.23_GlistrBoost.nii.gz"
    assert cohort.notes[0].startswith("warning: 1 patient (TCGA-CS-4942): the mask was made by a program")
    alone = find_cohort(tmp_path / "Pre-operative_TCGA_LGG_NIfTI_and_Segmentations")
    assert grades(alone) == {"TCGA-CS-4942": 0}
    touch(tmp_path / "BraTS" / "P1", *(f"P1_{name}" for name in (*GLIOMA.names, "seg")))
    with pytest.raises(CohortError, match=r"holds several cohorts, name one: .*/BraTS, .*_GBM_.*, .*_LGG_"):
        find_cohort(tmp_path)


def test_bids_sessions_are_scans_of_their_subject(tmp_path: Path) -> None:
    rows = "participant_id\tage\tWHO grade\tsite\nsub-01\t50\tIV\tn/a\n02\t61\t2\tB\nsub-09\t1\t2\tB\n"
    root = bids(tmp_path, "sub-01/ses-1", "sub-01/ses-2", "sub-02", table=rows)
    touch(root / "sub-02" / "func", "sub-02_task-rest_bold")
    touch(root / "sub-03" / "func", "sub-03_task-rest_bold")
    cohort = find_cohort(root)
    assert grades(cohort) == {"sub-01_ses-1": 1, "sub-01_ses-2": 1, "sub-02": 0}
    first, second, third = cohort.subjects
    assert first.patient == second.patient == "sub-01"
    assert (first.variables, third.variables) == ({"age": "50"}, {"age": "61", "site": "B", "source": "B"})
    assert {name: file.path.name for name, file in second.images.items()} == {
        "flair": "sub-01_ses-2_FLAIR.nii.gz",
        "t1": "sub-01_ses-2_T1w.nii.gz",
        "t1ce": "sub-01_ses-2_ce-GADOLINIUM_T1w.nii.gz",
        "t2": "sub-01_ses-2_T2w.nii.gz",
    }
    assert second.mask == root / "derivatives/manual/sub-01/ses-2/anat/sub-01_ses-2_dseg.nii.gz"
    notes = " / ".join(cohort.notes)
    assert "lists 1 patient (sub-09) without a folder" in notes
    assert "hold none of the images: 1 patient (sub-03)" in notes
    assert "masks are from derivatives: manual" in notes


def test_bids_masks_of_brains_and_in_other_spaces_are_not_the_tumours(tmp_path: Path) -> None:
    root = bids(tmp_path)
    derived = root / "derivatives"
    touch(derived / "fmriprep" / "sub-01" / "anat", "sub-01_dseg", "sub-01_desc-brain_mask")
    touch(derived / "atlases" / "sub-01", "sub-01_desc-aseg_dseg", "sub-01_atlas-AAL_dseg", "sub-01_desc-brain_mask")
    touch(derived / "manual" / "sub-01" / "anat", "sub-01_space-MNI152NLin6Asym_label-lesion_mask")
    assert find_cohort(root).subjects[0].mask == derived / "manual/sub-01/anat/sub-01_dseg.nii.gz"
    lesion = touch(derived / "b" / "sub-01", "sub-01_space-T1w_label-lesion_mask") / (
        "sub-01_space-T1w_label-lesion_mask.nii.gz"
    )
    assert find_cohort(root).subjects[0].mask == lesion


def test_of_bids_files_with_more_entities_one_has_to_be_meant(tmp_path: Path) -> None:
    root = bids(tmp_path, "sub-01", "sub-02")
    touch(root / "sub-01" / "anat", "sub-01_acq-axial_T1w", "sub-01_run-2_T1w")
    anat = root / "sub-02" / "anat"
    (anat / "sub-02_T2w.nii.gz").unlink()
    touch(anat, "sub-02_run-1_T2w", "sub-02_run-2_T2w")
    cohort = find_cohort(root)
    assert [subject.images["t1"].path.name for subject in cohort.subjects] == ["sub-01_T1w.nii.gz"]
    assert str(cohort.faults[0]).startswith(
        "sub-02: sub-02_run-1_T2w.nii.gz and sub-02_run-2_T2w.nii.gz both exist for t2 and differ: remove one"
    )


@pytest.mark.parametrize(
    ("diagnosis", "grade"), [("glioblastoma", None), ("high-grade glioma", 1), ("WHO grade 2", 0), ("n/a", None)]
)
def test_a_bids_diagnosis_is_a_class_only_where_it_says_one(tmp_path: Path, diagnosis: str, grade: int | None) -> None:
    cohort = find_cohort(bids(tmp_path, table=f"participant_id\tdiagnosis\nsub-01\t{diagnosis}\n"))
    assert (grades(cohort), cohort.faults) == ({"sub-01": grade}, ())
    unread = [note for note in cohort.notes if "diagnosis is not read as the grade" in note]
    assert bool(unread) == (diagnosis == "glioblastoma") == ("diagnosis" in cohort.subjects[0].variables)


def test_bids_images_of_another_problem_are_named_by_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "sub-A1" / "ct", "sub-A1_CT", "sub-A1_ce-iodine_CT", "sub-A1_desc-nodule_mask")
    (tmp_path / "participants.tsv").write_text("participant_id\tclass\nsub-A1\tMalignant\n")
    cohort = find_cohort(tmp_path, NODULES)
    (subject,) = cohort.subjects
    assert (subject.grade, subject.images["ct"].path.name) == (2, "sub-A1_CT.nii.gz")
    assert subject.mask is not None
    assert not [layout.name for layout in LAYOUTS.values() if layout.recognises(tmp_path, GLIOMA)]


def test_a_bids_table_may_say_what_the_labels_mean(tmp_path: Path) -> None:
    table = "participant_id\tlabel_scheme\nsub-01\twhole-tumour\nsub-02\tbrats-1999\n"
    cohort = find_cohort(bids(tmp_path, "sub-01", "sub-02", table=table))
    assert [subject.relabel for subject in cohort.subjects] == [SCHEMES["whole-tumour"]]
    assert [fault.problem.split(":")[0] for fault in cohort.faults] == ["label_scheme 'brats-1999'"]


def test_two_rows_of_one_patient_that_differ_are_refused(tmp_path: Path) -> None:
    root = ucsf(tmp_path, rows=("UCSF-PDGM-004,M,66,4,x,", "UCSF-PDGM-0004,M,66,3,x,"))
    with pytest.raises(CohortError, match=r"metadata_v5\.csv, line 3: UCSF-PDGM-0004 has another row"):
        find_cohort(root)
