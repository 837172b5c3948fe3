"""DICOM series and DICOM-SEG: voxels and affine by hand and by ITK's own reader, and what is refused."""

import warnings
from pathlib import Path

import gdcm
import highdicom as hd
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EnhancedCTImageStorage

from gliobench.cohort.align import Volume
from gliobench.cohort.formats.stored import VolumeError
from gliobench.cohort.formats.volume_file import decode_stored, read_stored

from .dicom_series import AFFINE, INTERCEPT, NORMAL, PERSON, SLOPE, VOXELS, Z_MM, slices, write_series

FRAME_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
}


def read(path: Path) -> Volume:
    return decode_stored(read_stored(path))


@pytest.mark.parametrize("suffix", [".dcm", ""])
def test_a_series_is_ordered_by_position_and_rescaled(tmp_path: Path, suffix: str) -> None:
    folder = write_series(tmp_path, slices(), lambda index: f"IM{(7 * index) % 3}{suffix}")
    (folder / "README.txt").write_text("not a slice")
    voxels, affine = read(folder)
    assert np.array_equal(voxels, VOXELS * SLOPE + INTERCEPT)
    assert np.allclose(affine, AFFINE, atol=1e-6)


def test_a_series_is_as_itk_reads_it(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", slices())
    voxels, affine = read(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    assert np.array_equal(voxels, sitk.GetArrayFromImage(image).T)
    for index in ((0, 0, 0), (4, 3, 2), (1, 2, 0)):
        left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
        assert np.allclose((affine @ (*index, 1))[:3], (-left, -posterior, superior), atol=1e-6)


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "RLELossless"])
def test_compressed_slices_are_read(tmp_path: Path, syntax: str) -> None:
    folder = write_series(tmp_path, slices())
    for path in folder.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    assert np.array_equal(read(folder)[0], VOXELS * SLOPE + INTERCEPT)


def enhanced() -> Dataset:
    """All slices in one file, as enhanced CT has them."""
    first, *_ = datasets = slices(SOPClassUID=EnhancedCTImageStorage)
    first.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    first.NumberOfFrames = len(datasets)
    first.PixelData = b"".join(one.PixelData for one in datasets)
    groups = []
    for one in datasets:
        group = Dataset()
        for name, tags in FRAME_GROUPS.items():
            item = Dataset()
            for tag in tags:
                setattr(item, tag, one[tag].value)
            setattr(group, name, [item])
        groups.append(group)
    for tag in (tag for tags in FRAME_GROUPS.values() for tag in tags):
        delattr(first, tag)
    first.SharedFunctionalGroupsSequence, first.PerFrameFunctionalGroupsSequence = [Dataset()], groups
    return first


def test_a_file_of_all_slices_is_read(tmp_path: Path) -> None:
    path = tmp_path / "enhanced.dcm"
    enhanced().save_as(path, enforce_file_format=True)
    voxels, affine = read(path)
    assert np.array_equal(voxels, VOXELS * SLOPE + INTERCEPT)
    assert np.allclose(affine, AFFINE, atol=1e-6)


def shifted(datasets: list[Dataset], index: int, offset_mm: np.ndarray) -> list[Dataset]:
    position = np.array(datasets[index].ImagePositionPatient, float) + offset_mm
    datasets[index].ImagePositionPatient = [f"{value:.8f}" for value in position]
    return datasets


def tilted() -> list[Dataset]:
    datasets = slices()
    for index in range(3):
        shifted(datasets, index, np.array([0, 0, 0.3 * index]))
    return datasets


def turned() -> list[Dataset]:
    datasets = slices()
    datasets[1].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return datasets


def several() -> list[Dataset]:
    return [*slices(), *slices("1.2.4", Modality="MR")]


def other_size() -> list[Dataset]:
    return [*slices()[:2], *slices(voxels=np.zeros((6, 4, 3), np.int16))[2:]]


def without_position() -> list[Dataset]:
    datasets = slices()
    del datasets[0].ImagePositionPatient
    return datasets


def cut() -> list[Dataset]:
    return [*slices()[:2], *slices(PixelData=b"\0\0")[2:]]


FAULTS = {
    "several series": (several, r"2 series.* 1\.2\.3 \(number 4, CT, 3 files\), 1\.2\.4 \(number 4, MR, 3 files\)"),
    "missing slice": (
        lambda: [*slices(voxels=np.zeros((5, 4, 6), np.int16))[:3], *slices(voxels=np.zeros((5, 4, 6), np.int16))[4:]],
        "a slice is missing: slices are 5 mm apart, but 10 mm between 97.dcm and 96.dcm",
    ),
    "uneven": (lambda: shifted(slices(), 2, NORMAL * 0.7), "uneven spacing: .*apart, but"),
    "doubled": (lambda: shifted(slices(), 2, -NORMAL * Z_MM), r"2 of 3 slices share positions"),
    "tilt": (tilted, r"sideways by 0\.60 mm .*gantry tilt"),
    "turned": (turned, "different directions .*localiser"),
    "skewed": (lambda: slices(ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0]), "right angles"),
    "one": (lambda: slices()[:1], "one slice"),
    "other size": (other_size, "different Columns: 5 and 6"),
    "no position": (without_position, "99.dcm has no ImagePositionPatient"),
    "cut": (cut, "cannot be decoded"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_volume_is_refused_and_names_nobody(tmp_path: Path, fault: str) -> None:
    make, reason = FAULTS[fault]
    with pytest.raises(VolumeError, match=reason) as caught:
        read(write_series(tmp_path, make()))
    assert not any(said in str(caught.value) for said in ("Doe", "Nobody", "4711", "1900"))


def test_a_truncated_file_is_named_without_what_it_says(tmp_path: Path) -> None:
    path = write_series(tmp_path, slices()) / "98.dcm"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(PERSON.encode()) + 3])
    with pytest.raises(VolumeError, match=r"98\.dcm") as caught:
        read(tmp_path)
    assert "Doe" not in str(caught.value)


def test_folders_without_slices_and_missing_extras_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VolumeError, match="without DICOM"):
        read(tmp_path)
    write_series(tmp_path, slices())
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(VolumeError, match=r"gliobench\[dicom\]"):
        read(tmp_path)


def test_the_digest_is_over_the_slices_in_the_order_of_their_names(tmp_path: Path) -> None:
    first = read_stored(write_series(tmp_path / "a", slices())).digest
    assert read_stored(write_series(tmp_path / "b", slices(), lambda index: f"IM{9 - index}")).digest == first
    assert read_stored(write_series(tmp_path / "c", slices(), lambda index: f"IM{index}")).digest != first
    assert read_stored(write_series(tmp_path / "d", slices(RescaleSlope=3))).digest != first


def segmentation(mask: np.ndarray, numbers: tuple[int, ...] = (1, 2), kind: str = "BINARY") -> Dataset:
    """A DICOM-SEG of a mask (x, y, z) on the series, written by highdicom."""
    described = [
        hd.seg.SegmentDescription(
            number, f"part {number}", codes.SCT.Tissue, codes.SCT.Tumor, hd.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for number in numbers
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hd.seg.Segmentation(
            slices(), np.ascontiguousarray(mask.T), kind, described, "1.2.7", 1, "1.2.7.1", 1, "none", "none", "1", "1"
        )


def test_a_segmentation_has_its_segment_numbers_on_the_series_grid(tmp_path: Path) -> None:
    mask = np.zeros(VOXELS.shape, np.uint8)
    mask[1, 2, 0], mask[3, 1, 0], mask[4, 0, 1] = 1, 2, 2
    segmentation(mask).save_as(tmp_path / "seg.dcm")  # leaves the empty last slice out
    voxels, affine = read(tmp_path / "seg.dcm")
    assert np.array_equal(voxels, mask[..., : voxels.shape[2]])
    assert np.allclose(affine, AFFINE, atol=1e-6)


def test_segments_far_apart_are_refused_where_slices_may_be_left_out(tmp_path: Path) -> None:
    mask = np.zeros(VOXELS.shape, np.uint8)
    mask[1, 2, 0], mask[3, 1, 2] = 1, 2  # nothing between
    dataset = segmentation(mask)
    dataset.save_as(tmp_path / "seg.dcm")
    voxels, affine = read(tmp_path / "seg.dcm")
    assert np.array_equal(voxels, mask)
    assert np.allclose(affine, AFFINE, atol=1e-6)
    del dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    dataset.save_as(tmp_path / "seg.dcm")
    with pytest.raises(VolumeError, match="10 mm apart and 5 mm thick"):
        read(tmp_path / "seg.dcm")


def test_overlapping_segments_are_refused(tmp_path: Path) -> None:
    both = np.ones((*VOXELS.shape[::-1], 2), np.uint8)
    segmentation(both.T).save_as(tmp_path / "seg.dcm")
    with pytest.raises(VolumeError, match="overlap"):
        read(tmp_path / "seg.dcm")


def test_a_fractional_segmentation_is_refused(tmp_path: Path) -> None:
    mask = np.full((*VOXELS.shape[::-1], 1), 0.4)
    segmentation(mask.T[0], (1,), "FRACTIONAL").save_as(tmp_path / "seg.dcm")
    with pytest.raises(VolumeError, match="fractional"):
        read(tmp_path / "seg.dcm")
