"""nnU-Net's raw folders: one file per channel, described by `dataset.json`."""

import json
from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.problem import Problem
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError

from .conftest import SHAPE, save

GLIOMA_V2 = {
    "channel_names": {"0": "T1", "1": "T1CE", "2": "T2", "3": "Flair"},
    "labels": {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": 3},
    "regions_class_order": [1, 2, 3],
    "numTraining": 2,
    "file_ending": ".nii.gz",
}  # of nnU-Net's own Dataset137_BraTS2021.py: oedema 1, core 2, enhancing 3
LIVER_V1 = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "liver", "2": "cancer"}}
LIVER = Problem(name="liver", images={"ct": None}, regions={"liver": [1], "cancer": [2]})  # type: ignore[arg-type]


def write_raw(root: Path, description: dict[str, object], cases: int = 2, suffix: str = ".nii.gz") -> None:
    """Cases of noise, but for the first voxel, which is the channel's number; the first voxels of masks are 1, 2, 3."""
    random = np.random.default_rng(0)
    channels = len(description.get("channel_names") or description["modality"])  # type: ignore[arg-type]
    for number in range(1, cases + 1):
        for channel in range(channels):
            voxels = random.integers(0, 500, SHAPE, dtype=np.int16)
            voxels.flat[0] = channel
            save(root / f"imagesTr/case_{number:02d}_{channel:04d}{suffix}", voxels)
        mask = np.zeros(SHAPE, np.uint8)
        mask.flat[:2] = (1, 2)
        mask.flat[2] = 3 if channels == 4 else 2
        save(root / f"labelsTr/case_{number:02d}{suffix}", mask)
    (root / "dataset.json").write_text(json.dumps(description))


def test_channels_by_name_and_parts_of_a_glioma_by_nested_regions(tmp_path: Path) -> None:
    write_raw(tmp_path, GLIOMA_V2)
    cohort = read_cohort(tmp_path)
    assert (cohort.layout, [one.id for one in cohort.subjects]) == ("nnU-Net raw", ["case_01", "case_02"])
    raw = load_subject(cohort.subjects[0], cohort.labels)
    assert raw.images[:, 0, 0, 0].tolist() == [3, 0, 1, 2]  # flair, t1, t1ce, t2
    assert raw.labels is not None
    assert raw.labels.flat[:3].tolist() == [2, 1, 3]  # in BraTS 2023's numbers: oedema 2, core 1, enhancing 3


def test_version_1_names_numbers(tmp_path: Path) -> None:
    write_raw(tmp_path, LIVER_V1, suffix=".nii")
    cohort = read_cohort(tmp_path, LIVER)
    assert len(cohort.subjects) == 2
    assert cohort.subjects[0].images["ct"].path.name == "case_01_0000.nii"
    assert cohort.subjects[0].relabel == {}


def test_labels_named_as_the_whole_alone_are_read_and_noted(tmp_path: Path) -> None:
    write_raw(tmp_path, GLIOMA_V2 | {"labels": {"background": 0, "whole tumor": [1, 2, 3]}})
    cohort = read_cohort(tmp_path)
    assert cohort.subjects[0].relabel == {1: 1, 2: 2, 3: 3}
    assert any("names the whole tumour alone" in note for note in cohort.notes)


def test_cases_without_a_channel_are_faults_and_without_a_mask_noted(tmp_path: Path) -> None:
    write_raw(tmp_path, GLIOMA_V2, cases=3)
    (tmp_path / "imagesTr/case_01_0003.nii.gz").unlink()
    (tmp_path / "labelsTr/case_02.nii.gz").unlink()
    (tmp_path / "imagesTr/._case_03_0000.nii.gz").touch()
    cohort = find_cohort(tmp_path)
    assert [(one.id, one.mask is None) for one in cohort.subjects] == [("case_02", True), ("case_03", False)]
    assert [(one.subject_id, "flair" in one.problem) for one in cohort.faults] == [("case_01", True)]
    assert any("case_02" in note and "without a mask" in note for note in cohort.notes)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"channel_names": {"0": "T1", "1": "T2"}}, "no channel for flair, t1ce"),
        ({"file_ending": ".png"}, r"file_ending: expected one of \.nii\.gz, .*found '\.png'"),
        ({"labels": {"background": 0, "tumor": 1, "ignore": 2}}, "ignore"),
        ({"labels": {"background": 0, "tumor": 1}}, "expected the labels non-enhancing tumor"),
        ({"labels": {"background": 0, "tumor": "one"}}, "labels: expected numbers"),
        ({"labels": 3}, "labels: expected numbers"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, changed: dict[str, object], found: str) -> None:
    write_raw(tmp_path, GLIOMA_V2)
    (tmp_path / "dataset.json").write_text(json.dumps(GLIOMA_V2 | changed))
    with pytest.raises(CohortError, match=found):
        find_cohort(tmp_path)


def test_labels_that_the_problem_names_and_the_description_does_not(tmp_path: Path) -> None:
    write_raw(tmp_path, LIVER_V1 | {"labels": {"0": "background", "1": "liver"}})
    with pytest.raises(CohortError, match="names the labels 2"):
        find_cohort(tmp_path, LIVER)
