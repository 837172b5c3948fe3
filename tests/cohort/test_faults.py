"""Every patient at fault is named, with what was found, in one message; the others can go on without them."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.cohort.nifti import NiftiError, decode_volume
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError

from .conftest import AFFINE, SHAPE, Write, save


def break_missing(folder: Path) -> None:
    (folder / f"{folder.name}_t2.nii.gz").unlink()


def break_shape(folder: Path) -> None:
    save(folder / f"{folder.name}_t1.nii.gz", np.ones((5, 4, 2), np.int16))


def break_affine(folder: Path) -> None:
    save(folder / f"{folder.name}_t1.nii.gz", np.ones(SHAPE, np.int16), np.diag([-2.0, -1.0, 1.0, 1.0]))


def break_nan(folder: Path) -> None:
    voxels = np.ones(SHAPE, np.float32)
    voxels[1, 1, 1] = np.nan
    save(folder / f"{folder.name}_flair.nii.gz", voxels)


def break_huge(folder: Path) -> None:
    save(folder / f"{folder.name}_flair.nii.gz", np.full(SHAPE, 1e300))


def break_colours(folder: Path) -> None:
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(folder / f"{folder.name}_t1.nii.gz", colours)


def break_complex(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.full(SHAPE, 1 + 4j, np.complex64))


def break_nifti_2(folder: Path) -> None:
    nib.save(nib.Nifti2Image(np.ones(SHAPE, np.int16), AFFINE), folder / f"{folder.name}_t1.nii.gz")


def break_units(folder: Path) -> None:
    image = nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE / 1000)
    image.header.set_xyzt_units("meter")
    nib.save(image, folder / f"{folder.name}_t1.nii.gz")


def break_voxel_size(folder: Path) -> None:
    for path in folder.iterdir():  # metres, and the header does not say so
        save(path, np.asarray(nib.load(path).dataobj), np.diag([-0.001, -0.001, 0.001, 1.0]))


def break_gzip(folder: Path) -> None:
    path = folder / f"{folder.name}_t1ce.nii.gz"
    path.write_bytes(path.read_bytes()[:-20])


def break_header(folder: Path) -> None:
    (folder / f"{folder.name}_t1ce.nii.gz").write_bytes(gzip.compress(b"this is no scan"))


def break_labels(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.full(SHAPE, 7, np.uint8))


def break_half_labels(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.full(SHAPE, 1.5, np.float32))


def break_empty(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.zeros(SHAPE, np.uint8))


BREAKS = {
    "missing": (break_missing, "no file for t2"),
    "shape": (break_shape, r"t1 has the shape \(5, 4, 2\), flair has \(5, 4, 3\)"),
    "affine": (break_affine, "the affine of t1 differs from that of flair by up to 1"),
    "nan": (break_nan, "flair has 1 voxels that are NaN, infinite or beyond float32"),
    "huge": (break_huge, "flair has 60 voxels that are NaN, infinite or beyond float32"),
    "colours": (break_colours, "voxels of type RGB: expected one real number a voxel"),
    "complex": (break_complex, "voxels of type complex64: expected one real number a voxel"),
    "nifti-2": (break_nifti_2, "a NIfTI-2 file: convert it to NIfTI-1"),
    "units": (break_units, "the header gives sizes in metres: expected millimetres"),
    "voxel size": (break_voxel_size, r"has voxels of 0\.001 x 0\.001 x 0\.001 mm; expected 0\.05 to 20 mm a side"),
    "gzip": (break_gzip, "broken or truncated gzip"),
    "header": (break_header, "not a NIfTI-1 file"),
    "labels": (break_labels, "the mask has labels 7; expected 0, 1, 2, 4"),
    "half": (break_half_labels, r"the mask has labels 1\.5"),
    "empty": (break_empty, "the mask is empty"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_each_fault_is_said(tmp_path: Path, write_patient: Write, fault: str) -> None:
    breaker, message = BREAKS[fault]
    breaker(write_patient(tmp_path, "P1"))
    write_patient(tmp_path, "P2")
    with pytest.raises(CohortError, match=f"P1: .*{message}"):
        read_cohort(tmp_path)


def test_all_patients_at_fault_stand_in_one_message_and_can_be_skipped(tmp_path: Path, write_patient: Write) -> None:
    for fault, (breaker, _) in BREAKS.items():
        breaker(write_patient(tmp_path, fault))
    write_patient(tmp_path, "good")
    with pytest.raises(CohortError, match=f"{len(BREAKS)} patients cannot be used") as caught:
        read_cohort(tmp_path)
    assert all(f"{fault}: " in str(caught.value) for fault in BREAKS)
    cohort = read_cohort(tmp_path, skip_bad=True)
    assert [subject.id for subject in cohort.subjects] == ["good"]
    assert {fault.subject_id for fault in cohort.faults} == set(BREAKS)


def test_an_id_twice_is_a_fault(tmp_path: Path, write_patient: Write) -> None:
    for grade in ("HGG", "LGG"):
        write_patient(tmp_path / grade, "P1")
    write_patient(tmp_path / "HGG", "P2")
    cohort = find_cohort(tmp_path)
    assert [subject.id for subject in cohort.subjects] == ["P2"]
    assert [str(fault) for fault in cohort.faults] == ["P1: the id stands there 2 times"]


def test_one_persons_images_under_two_ids_are_a_fault_of_both(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P3")
    first, second = write_patient(tmp_path, "P1"), write_patient(tmp_path, "P2", labels=(1,))  # another mask
    for name in ("flair", "t1", "t1ce", "t2"):
        (second / f"P2_{name}.nii.gz").write_bytes((first / f"P1_{name}.nii.gz").read_bytes())
    cohort = read_cohort(tmp_path, skip_bad=True)
    assert [subject.id for subject in cohort.subjects] == ["P3"]
    assert [str(fault) for fault in cohort.faults] == ["P1: the same images as P2", "P2: the same images as P1"]


@given(st.binary(max_size=800))
def test_no_bytes_raise_anything_but_the_reason(data: bytes) -> None:
    for content in (data, b"\x1f\x8b" + data, gzip.compress(data)):
        with pytest.raises(NiftiError):
            decode_volume(content)


@given(st.integers(0, 447), st.binary(min_size=1, max_size=4))
def test_a_damaged_header_gives_a_volume_or_the_reason(place: int, damage: bytes) -> None:
    data = bytearray(nib.Nifti1Image(np.ones((3, 3, 3), np.int16), AFFINE).to_bytes())
    data[place : place + len(damage)] = damage
    try:
        voxels, affine = decode_volume(bytes(data))
    except NiftiError:
        return
    assert affine.shape == (4, 4)
    assert voxels.size >= 0


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", "|u1", ">f8"])
def test_byte_orders_and_types_are_nibabels(tmp_path: Path, dtype: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 200, SHAPE).astype(dtype)
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(np.dtype(dtype))
    data = nib.Nifti1Image(voxels, AFFINE, header).to_bytes()
    assert np.array_equal(decode_volume(data)[0], voxels)


def test_scaled_voxels_are_scaled(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.array([[[1.0, 2.5, 4.0]]]), AFFINE)
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "scaled.nii.gz")
    voxels, _ = decode_volume((tmp_path / "scaled.nii.gz").read_bytes())
    assert np.allclose(voxels, nib.load(tmp_path / "scaled.nii.gz").get_fdata(), atol=1e-5)


def test_the_digest_follows_every_file(tmp_path: Path, write_patient: Write) -> None:
    folder = write_patient(tmp_path, "P1")
    cohort = find_cohort(tmp_path)
    before = load_subject(cohort.subjects[0], cohort.labels).content
    assert load_subject(cohort.subjects[0], cohort.labels).content == before
    save(folder / "P1_seg.nii.gz", np.ones(SHAPE, np.uint8))
    assert load_subject(cohort.subjects[0], cohort.labels).content != before
