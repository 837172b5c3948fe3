"""Cohorts whose files are of several formats."""

import gzip
import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from tests.cohort.conftest import MODALITIES, Write

from gliobench.cohort.read import find_cohort, load_subject, read_cohort, read_files
from gliobench.cohort.subject import CohortError, RawSubject

from .dicom_series import AFFINE, SLOPE, VOXELS, slices, write_series
from .test_dicom import segmentation

MASK = np.zeros(VOXELS.shape, np.uint8)
MASK[1, 2, 2], MASK[3, 1, 1] = 1, 2  # the first slice is empty


def loaded(root: Path) -> RawSubject:
    cohort = read_cohort(root)
    (subject,) = cohort.subjects
    return load_subject(subject, cohort.labels)


def converted(folder: Path, suffix: str) -> None:
    for path in list(folder.glob("*.nii.gz")):
        sitk.WriteImage(sitk.ReadImage(path), folder / f"{path.name.removesuffix('.nii.gz')}{suffix}")
        path.unlink()


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_a_converted_folder_is_the_same_patient(tmp_path: Path, write_patient: Write, suffix: str) -> None:
    folder = write_patient(tmp_path, "P1")
    plain = loaded(tmp_path)
    converted(folder, suffix)
    raw = loaded(tmp_path)
    assert np.array_equal(raw.images, plain.images)
    assert np.array_equal(raw.labels, plain.labels)
    assert np.allclose(raw.affine, plain.affine)
    assert raw.findings.voxels == plain.findings.voxels
    assert raw.content != plain.content


def test_the_content_of_nifti_files_is_as_it_was(tmp_path: Path, write_patient: Write) -> None:
    folder = write_patient(tmp_path, "P1")
    lines = [
        f"{name} None {hashlib.sha256((folder / f'P1_{ending}.nii.gz').read_bytes()).hexdigest()}\n"
        for name, ending in (*zip(MODALITIES, MODALITIES, strict=True), ("mask", "seg"))
    ]
    (subject,) = find_cohort(tmp_path).subjects
    assert read_files(subject).content == hashlib.sha256("".join(lines).encode()).hexdigest()


def write_dicom_patient(root: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(MODALITIES):
        voxels = random.permutation(VOXELS.ravel()).reshape(VOXELS.shape) if number else VOXELS
        write_series(root / f"P1_{name}", slices(f"1.2.3.{number}", voxels, RescaleIntercept=0))
    segmentation(MASK).save_as(root / "P1_seg.dcm")


def check_dicom_patient(raw: RawSubject) -> None:
    assert np.array_equal(raw.images[0], VOXELS * SLOPE)
    assert np.array_equal(raw.labels, MASK)
    assert np.allclose(raw.affine, AFFINE, atol=1e-6)
    assert raw.findings.notes == ("mask was resampled onto the grid of flair (voxel for voxel), as their affines say",)


def test_folders_of_slices_are_images_of_a_layout(tmp_path: Path) -> None:
    write_dicom_patient(tmp_path / "P1")
    check_dicom_patient(loaded(tmp_path))


def test_a_table_names_folders_of_slices(tmp_path: Path) -> None:
    write_dicom_patient(tmp_path / "files")
    cells = ",".join(f"files/P1_{name}" for name in MODALITIES)
    (tmp_path / "patients.csv").write_text(f"id,{','.join(MODALITIES)},mask\nP1,{cells},files/P1_seg.dcm\n")
    check_dicom_patient(loaded(tmp_path))
    for path in (tmp_path / "files" / "P1_t2").iterdir():
        path.unlink()
    with pytest.raises(CohortError, match=r"names a file that is missing .*P1_t2"):
        read_cohort(tmp_path)


def test_the_same_volume_in_two_formats_is_read_once(tmp_path: Path, write_patient: Write) -> None:
    path = write_patient(tmp_path, "P1") / "P1_t1.nii.gz"
    sitk.WriteImage(sitk.ReadImage(path), path.with_name("P1_t1.nrrd"))
    assert len(read_cohort(tmp_path).subjects) == 1
    voxels = np.asarray(nib.load(path).dataobj) + 1
    sitk.WriteImage(sitk.GetImageFromArray(voxels.T), path.with_name("P1_t1.nrrd"))
    with pytest.raises(CohortError, match=r"P1_t1.nii.gz and P1_t1.nrrd both exist for t1 and differ"):
        read_cohort(tmp_path)


def test_a_fractional_mask_is_refused_in_any_format(tmp_path: Path, write_patient: Write) -> None:
    folder = write_patient(tmp_path, "P1")
    path = folder / "P1_seg.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * np.float32(0.5), image.affine), path)
    converted(folder, ".nrrd")
    with pytest.raises(CohortError, match=r"labels 0\.5"):
        read_cohort(tmp_path)


def test_nifti_2_in_a_cohort(tmp_path: Path, write_patient: Write) -> None:
    path = write_patient(tmp_path, "P1") / "P1_t1.nii.gz"
    before = loaded(tmp_path)
    image = nib.load(path)
    data = nib.Nifti2Image(np.asarray(image.dataobj), image.affine).to_bytes()
    path.write_bytes(gzip.compress(data))
    assert np.array_equal(loaded(tmp_path).images, before.images)
