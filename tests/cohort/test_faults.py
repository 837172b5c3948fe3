"""Every patient at fault is named, with what was found, in one message; the others can go on without them."""

import gzip
import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.cohort.nifti import NiftiError, decode_volume
from gliobench.cohort.read import find_cohort, load_subject, read_cohort
from gliobench.cohort.subject import CohortError

from .conftest import AFFINE, MODALITIES, SHAPE, Write, save


def break_missing(folder: Path) -> None:
    (folder / f"{folder.name}_t2.nii.gz").unlink()


def break_shape(folder: Path) -> None:
    save(folder / f"{folder.name}_t1.nii.gz", np.ones((5, 4, 2), np.int16))


def break_affine(folder: Path) -> None:
    affine = AFFINE.copy()
    affine[0, 3] = 100
    save(folder / f"{folder.name}_t1.nii.gz", np.ones(SHAPE, np.int16), affine)


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


def break_orientation(folder: Path) -> None:
    image = nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE)
    image.set_sform(AFFINE, code=0)
    image.set_qform(AFFINE, code=0)
    nib.save(image, folder / f"{folder.name}_t1.nii.gz")


def header_of(path: Path, place: int, form: str, *values: float) -> None:
    """Write values into the header at a byte, whatever follows; see nifti1.h."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(form, content, place, *values)
    path.write_bytes(gzip.compress(bytes(content)))


def break_dimension(folder: Path) -> None:
    header_of(folder / f"{folder.name}_t1.nii.gz", 46, "<h", 1)


def break_type(folder: Path) -> None:
    header_of(folder / f"{folder.name}_t1.nii.gz", 70, "<2h", 2, 8)  # uint8, of int16


def break_promise(folder: Path) -> None:
    header_of(folder / f"{folder.name}_t1.nii.gz", 42, "<3h", 32767, 32767, 32767)


def break_offset(folder: Path) -> None:
    header_of(folder / f"{folder.name}_t1.nii.gz", 108, "<f", 100)


def break_far_offset(folder: Path) -> None:
    header_of(folder / f"{folder.name}_t1.nii.gz", 108, "<f", 1e6)


def break_folder(folder: Path) -> None:
    (folder / f"{folder.name}_t1.nii.gz").unlink()
    (folder / f"{folder.name}_t1.nii.gz").mkdir()


def break_loop(folder: Path) -> None:
    (folder / f"{folder.name}_t1.nii.gz").unlink()
    (folder / f"{folder.name}_t1.nii.gz").symlink_to(f"{folder.name}_t1.nii.gz")


def break_twice(folder: Path) -> None:
    save(folder / f"{folder.name}_t1.nii", np.ones(SHAPE, np.int16))


def break_hair(folder: Path) -> None:
    path = folder / f"{folder.name}_seg.nii.gz"
    affine = AFFINE.copy()
    affine[0, 3] += 0.01
    save(path, np.asarray(nib.load(path).dataobj), affine)


def break_probabilities(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.linspace(0, 1, 60, dtype=np.float32).reshape(SHAPE))


def break_labels(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.full(SHAPE, 7, np.uint8))


def break_half_labels(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.full(SHAPE, 1.5, np.float32))


def break_empty(folder: Path) -> None:
    save(folder / f"{folder.name}_seg.nii.gz", np.zeros(SHAPE, np.uint8))


BREAKS = {
    "missing": (break_missing, "t2"),
    "shape": (break_shape, r"t1 .*\(5, 4, 2\), flair .*\(5, 4, 3\)"),
    "affine": (break_affine, "affine of t1 .* flair by up to 100, .* no rotation"),
    "nan": (break_nan, "flair .* 1 voxels"),
    "huge": (break_huge, "flair .* 60 voxels"),
    "colours": (break_colours, "RGB"),
    "complex": (break_complex, "complex64"),
    "units": (break_units, "metres"),
    "voxel size": (break_voxel_size, r"0\.001 x 0\.001 x 0\.001 mm.* 0\.05 to 20 mm"),
    "gzip": (break_gzip, "gzip"),
    "header": (break_header, "not a NIfTI"),
    "orientation": (break_orientation, "sform_code"),
    "dimension": (break_dimension, r"\(5, 4, 1\)"),
    "type": (break_type, "uint8"),
    "promise": (break_promise, "70362301923678 bytes"),
    "offset": (break_offset, "offset 100"),
    "far offset": (break_far_offset, "60 voxels.* 0"),
    "folder": (break_folder, "t1"),
    "loop": (break_loop, "t1"),
    "twice": (break_twice, r"_t1\.nii and .*_t1\.nii\.gz .* t1 "),
    "hair": (
        break_hair,
        r"affine of mask .* by up to 0\.01",
    ),
    "probabilities": (break_probabilities, r"labels 0\.0169.* 53 .* 0, 1, 2, 4"),
    "labels": (break_labels, r"labels 7\b.* 0, 1, 2, 4"),
    "half": (break_half_labels, r"labels 1\.5"),
    "empty": (break_empty, "empty"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_each_fault_is_said(tmp_path: Path, write_patient: Write, fault: str) -> None:
    breaker, found = BREAKS[fault]
    breaker(write_patient(tmp_path, "P1"))
    write_patient(tmp_path, "P2")
    with pytest.raises(CohortError, match=f"P1: .*{found}"):
        read_cohort(tmp_path)


def test_all_patients_at_fault_stand_in_one_message_and_can_be_skipped(tmp_path: Path, write_patient: Write) -> None:
    for fault, (breaker, _) in BREAKS.items():
        breaker(write_patient(tmp_path, fault))
    write_patient(tmp_path, "good")
    with pytest.raises(CohortError, match=f"{len(BREAKS)} invalid patients") as caught:
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
    assert [str(fault) for fault in cohort.faults] == ["P1: the id is duplicated (2 times)"]


def test_one_persons_images_under_two_ids_are_a_fault_of_both(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P3")
    first, second = write_patient(tmp_path, "P1"), write_patient(tmp_path, "P2", labels=(1,))  # another mask
    for name in ("flair", "t1", "t1ce", "t2"):
        (second / f"P2_{name}.nii.gz").write_bytes((first / f"P1_{name}.nii.gz").read_bytes())
    cohort = read_cohort(tmp_path, skip_bad=True)
    assert [subject.id for subject in cohort.subjects] == ["P3"]
    assert [str(fault) for fault in cohort.faults] == ["P1: the same images as P2", "P2: the same images as P1"]


def as_float(path: Path) -> None:
    image = nib.load(path)
    save(path, np.asarray(image.dataobj, np.float32), image.affine)


def turned(path: Path) -> None:
    nib.save(nib.as_closest_canonical(nib.load(path)), path)


def moved(path: Path) -> None:
    save(path, np.asarray(nib.load(path).dataobj), np.diag([2.0, -1.0, 3.0, 1.0]))


def lowered(path: Path) -> None:
    image = nib.load(path)
    save(path, np.asarray(image.dataobj) - 1024, image.affine)


def packed_again(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))


def unpacked(path: Path) -> None:
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("change", [packed_again, unpacked, as_float, turned, moved, lowered])
def test_shared_images_are_found_by_their_voxels(tmp_path: Path, write_patient: Write, change: Any) -> None:
    write_patient(tmp_path, "P3")
    first, second = write_patient(tmp_path, "P1"), write_patient(tmp_path, "P2")
    for name in MODALITIES:
        path = second / f"P2_{name}.nii.gz"
        path.write_bytes((first / f"P1_{name}.nii.gz").read_bytes())
        change(path)
    if change is turned or change is moved:
        (second / "P2_seg.nii.gz").unlink()  # it keeps to the images as they were
    cohort = read_cohort(tmp_path, skip_bad=True)
    assert [str(fault) for fault in cohort.faults] == ["P1: the same images as P2", "P2: the same images as P1"]


@pytest.mark.parametrize("shared", MODALITIES)
def test_one_shared_modality_is_enough(tmp_path: Path, write_patient: Write, shared: str) -> None:
    first, second = write_patient(tmp_path, "P1"), write_patient(tmp_path, "P2")
    (second / f"P2_{shared}.nii.gz").write_bytes((first / f"P1_{shared}.nii.gz").read_bytes())
    with pytest.raises(CohortError, match=f"P1: the same {shared} as P2\n  P2: the same {shared} as P1"):
        read_cohort(tmp_path)


def test_an_image_that_is_another_modality_there_is_shared_too(tmp_path: Path, write_patient: Write) -> None:
    first, second = write_patient(tmp_path, "P1"), write_patient(tmp_path, "P2")
    (second / "P2_t2.nii.gz").write_bytes((first / "P1_t1.nii.gz").read_bytes())
    with pytest.raises(CohortError, match=r"P1: the same t1 \(there t2\) as P2"):
        read_cohort(tmp_path)


def test_an_image_that_shows_nothing_is_nobodys(tmp_path: Path, write_patient: Write) -> None:
    for id in ("P1", "P2"):
        save(write_patient(tmp_path, id) / f"{id}_t1.nii.gz", np.full(SHAPE, 7, np.int16))
    assert len(read_cohort(tmp_path).subjects) == 2


def test_a_turned_mask_is_turned_back_and_said(tmp_path: Path, write_patient: Write) -> None:
    folder = write_patient(tmp_path, "P1")
    cohort = find_cohort(tmp_path)
    plain = load_subject(cohort.subjects[0], cohort.labels)
    turned(folder / "P1_seg.nii.gz")
    raw = load_subject(cohort.subjects[0], cohort.labels)
    assert np.array_equal(raw.labels, plain.labels)
    assert raw.findings.notes == ("mask was reoriented from RAS to LPS, the axes of flair, without interpolation",)
    assert f"1 patient (P1): {raw.findings.notes[0]}" in read_cohort(tmp_path).notes


def test_labels_a_rounding_error_off_are_the_labels(tmp_path: Path, write_patient: Write) -> None:
    folder = write_patient(tmp_path, "P1")
    cohort = find_cohort(tmp_path)
    plain = load_subject(cohort.subjects[0], cohort.labels).labels
    save(folder / "P1_seg.nii.gz", np.asarray(plain, np.float32) * np.float32(0.9999) + np.float32(1e-4))
    assert np.array_equal(load_subject(cohort.subjects[0], cohort.labels).labels, plain)


def test_the_same_volume_twice_is_read_once(tmp_path: Path, write_patient: Write) -> None:
    path = write_patient(tmp_path, "P1") / "P1_t1.nii.gz"
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    assert read_cohort(tmp_path).subjects[0].images["t1"].path == path


def test_a_gzip_that_unpacks_to_gigabytes_is_left_where_the_volume_ends() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(2**24)
    pieces = [packer.compress(nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE).to_bytes())]
    pieces += [packer.compress(zeros) for _ in range(64)]  # 1 GiB
    bomb = b"".join([*pieces, packer.flush()])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NiftiError, match=r"\(5, 4, 3\)"):
        decode_volume(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("cuts", [(100,), (352,), (353, 360), (1, 2, 3, 400)])
def test_a_gzip_in_several_members_is_one_volume(cuts: tuple[int, ...]) -> None:
    voxels = np.arange(60, dtype=np.int16).reshape(SHAPE)
    data = nib.Nifti1Image(voxels, AFFINE).to_bytes()
    members = [data[start:end] for start, end in zip((0, *cuts), (*cuts, None), strict=True)]
    packed = b"".join(map(gzip.compress, members))
    assert np.array_equal(decode_volume(packed)[0], voxels)
    assert np.array_equal(decode_volume(packed + bytes(512))[0], voxels)
    with pytest.raises(NiftiError, match=f"{len(members)} members"):
        decode_volume(packed + b"more")


def test_every_flipped_bit_of_a_gzip_is_seen() -> None:
    voxels = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.int16)
    packed = gzip.compress(nib.Nifti1Image(voxels, AFFINE).to_bytes(), mtime=0)
    for place in range(10, len(packed)):  # behind gzip's own header, whose time and system mean nothing
        damaged = bytearray(packed)
        damaged[place] ^= 1 << place % 8
        try:
            assert np.array_equal(decode_volume(bytes(damaged))[0], voxels)
        except NiftiError:
            continue


def test_names_that_a_terminal_would_obey_are_escaped(tmp_path: Path, write_patient: Write) -> None:
    write_patient(tmp_path, "P\x1b[31m1")
    write_patient(tmp_path, "P2")
    with pytest.raises(CohortError, match=r"P\\x1b\[31m1: ") as caught:
        read_cohort(tmp_path)
    assert "\x1b" not in str(caught.value)


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


@pytest.mark.parametrize("endianness", "<>")
def test_nifti_2_is_read(endianness: str) -> None:
    voxels = np.arange(60, dtype=f"{endianness}i2").reshape(SHAPE)
    affine = np.array([[0.0, -2, 0, 7], [1, 0, 0, -3], [0, 0, 4, 5], [0, 0, 0, 1]])
    data = nib.Nifti2Image(voxels, affine, nib.Nifti2Header(endianness=endianness)).to_bytes()
    for content in (data, gzip.compress(data)):
        found, found_affine = decode_volume(content)
        assert np.array_equal(found, voxels)
        assert np.array_equal(found_affine, affine)
    with pytest.raises(NiftiError, match="60 voxels, the file has 59"):
        decode_volume(data[:-1])


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
