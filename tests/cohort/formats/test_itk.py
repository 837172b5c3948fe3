"""NRRD and MetaImage: voxels and affine by hand, and damaged or ambiguous files with their reasons."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from gliobench.cohort.formats.stored import VolumeError
from gliobench.cohort.formats.volume_file import decode_stored, read_stored

VOXELS = np.arange(60, dtype=np.int16).reshape(5, 4, 3)  # x, y, z
COSINE, SINE = np.cos(0.3), np.sin(0.3)
DIRECTION = np.array([[COSINE, -SINE, 0], [SINE, COSINE, 0], [0, 0, 1]])  # columns are the axes, in LPS
SPACING, ORIGIN = (0.9, 1.1, 5.0), (-10.0, 20.0, 30.0)
# RAS = (-L, -P, S), worked out per column: direction x spacing, then the origin.
AFFINE = np.array(
    [
        [-COSINE * 0.9, SINE * 1.1, 0, 10],
        [-SINE * 0.9, -COSINE * 1.1, 0, -20],
        [0, 0, 5, 30],
        [0, 0, 0, 1],
    ]
)
NRRD_HEADER = """NRRD0005
# a comment: with a colon
type: short
dimension: 3
space: left-posterior-superior
sizes: 5 4 3
space directions: (2,0,0) (0,0,3) (0,1,0)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (1,2,3)
note:=data file: other.raw
"""
META_HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
TransformMatrix = 1 0 0 0 0 1 0 1 0
Offset = 1 2 3
ElementSpacing = 2 3 1
DimSize = 5 4 3
ElementType = MET_SHORT
"""
RAW = VOXELS.tobytes(order="F")
HEADER_AFFINE = np.array([[-2.0, 0, 0, -1], [0, 0, -1, -2], [0, 3, 0, 3], [0, 0, 0, 1]])


def written(path: Path, voxels: np.ndarray = VOXELS, *, vector: bool = False, packed: bool = False) -> Path:
    image = sitk.GetImageFromArray(voxels.T, isVector=vector)
    if image.GetDimension() == 3:
        image.SetDirection(DIRECTION.ravel())
        image.SetSpacing(SPACING)
        image.SetOrigin(ORIGIN)
    sitk.WriteImage(image, path, useCompression=packed)
    return path


def nrrd(path: Path, header: str = NRRD_HEADER, raw: bytes = RAW) -> Path:
    path.write_bytes(header.encode() + b"\n" + raw)
    return path


def meta(path: Path, header: str = META_HEADER, data: str = "LOCAL", raw: bytes = RAW) -> Path:
    path.write_bytes(f"{header}ElementDataFile = {data}\n".encode() + raw)
    return path


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd", ".MHA"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_turned_anisotropic_volume_keeps_voxels_and_place(tmp_path: Path, suffix: str, packed: bool) -> None:
    path = written(tmp_path / f"image{suffix.lower()}", packed=packed)
    if suffix != suffix.lower():
        path = path.rename(path.with_suffix(suffix))
    voxels, affine = decode_stored(read_stored(path))
    assert voxels.dtype == np.int16
    assert np.array_equal(voxels, VOXELS)
    assert np.allclose(affine, AFFINE, rtol=0, atol=1e-12)


@pytest.mark.parametrize("write", [lambda folder: nrrd(folder / "a.nrrd"), lambda folder: meta(folder / "a.mha")])
def test_a_header_written_by_hand_gives_the_affine_by_hand(tmp_path: Path, write) -> None:
    voxels, affine = decode_stored(read_stored(write(tmp_path)))
    assert np.array_equal(voxels, VOXELS)
    assert np.array_equal(affine, HEADER_AFFINE)


def test_nrrd_in_ras_is_in_ras(tmp_path: Path) -> None:
    header = NRRD_HEADER.replace("left-posterior-superior", "RAS")
    affine = decode_stored(read_stored(nrrd(tmp_path / "a.nrrd", header)))[1]
    assert np.array_equal(affine, np.diag([-1, -1, 1, 1]) @ HEADER_AFFINE)


def test_the_digest_counts_header_and_data_file(tmp_path: Path) -> None:
    path = written(tmp_path / "image.mhd")
    before = read_stored(path).digest
    raw = path.with_suffix(".raw")
    raw.write_bytes(raw.read_bytes()[::-1])
    assert read_stored(path).digest != before


def without(header: str, field: str) -> str:
    return "".join(line for line in header.splitlines(keepends=True) if not line.startswith(field))


FAULTS = {
    "no space": (lambda at: nrrd(at / "a.nrrd", without(NRRD_HEADER, "space:")), "has no space,"),
    "no directions": (lambda at: nrrd(at / "a.nrrd", without(NRRD_HEADER, "space dir")), "no spacedirections"),
    "no origin": (lambda at: nrrd(at / "a.nrrd", without(NRRD_HEADER, "space or")), "no spaceorigin"),
    "scanner": (
        lambda at: nrrd(at / "a.nrrd", NRRD_HEADER.replace("left-posterior-superior", "scanner-xyz")),
        "scanner-xyz",
    ),
    "units": (lambda at: nrrd(at / "a.nrrd", NRRD_HEADER + 'space units: "um" "um" "um"\n'), "sizes in um"),
    "truncated": (lambda at: nrrd(at / "a.nrrd", raw=RAW[:-1]), "truncated"),
    "text": (lambda at: nrrd(at / "a.nrrd", "no header"), "not a NRRD"),
    "broken": (lambda at: nrrd(at / "a.nrrd", NRRD_HEADER.replace("short", "wide")), "damaged"),
    "promise": (lambda at: nrrd(at / "a.nrrd", NRRD_HEADER.replace("5 4 3", "9999 9999 9999")), "1862.* GiB"),
    "many files": (lambda at: nrrd(at / "a.nhdr", NRRD_HEADER + "data file: LIST\n"), "one file beside"),
    "other folder": (lambda at: meta(at / "a.mhd", data="../b.raw"), "one file beside"),
    "absent data": (lambda at: meta(at / "a.mhd", data="b.raw"), "No such file"),
    "no matrix": (lambda at: meta(at / "a.mha", without(META_HEADER, "Transform")), "no transformmatrix"),
    "no offset": (lambda at: meta(at / "a.mha", without(META_HEADER, "Offset")), "no offset"),
    "97 axes": (lambda at: meta(at / "a.mha", META_HEADER.replace("NDims = 3", "NDims = 97")), "97 axes"),
    "cut": (lambda at: meta(at / "a.mha", raw=RAW[:-1]), "truncated"),
    "nrrd as mha": (lambda at: nrrd(at / "a.mha"), "not a MetaImage"),
    "vector": (lambda at: written(at / "a.nrrd", np.zeros((3, 5, 4, 3)), vector=True), "3 numbers per voxel"),
    "4D": (lambda at: written(at / "a.mha", np.zeros((5, 4, 3, 2))), "4 axes"),
    "complex": (lambda at: written(at / "a.mha", np.zeros((5, 4, 3), np.complex64)), "complex|2 numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_reason(tmp_path: Path, fault: str) -> None:
    write, reason = FAULTS[fault]
    path = write(tmp_path)
    with pytest.raises(VolumeError, match=reason) as caught:
        decode_stored(read_stored(path))
    assert "\n" not in str(caught.value)
    assert "gliobench-" not in str(caught.value)  # the temporary folder


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = nrrd(tmp_path / "a.nrrd")
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(VolumeError, match=r"gliobench\[formats\]"):
        decode_stored(read_stored(path))
