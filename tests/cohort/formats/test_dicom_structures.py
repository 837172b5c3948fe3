"""Contours of an RTSTRUCT: voxels counted by hand, on the oblique grid of a series; and names of segments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from gliobench.cohort.align import Volume
from gliobench.cohort.formats.stored import VolumeError
from gliobench.cohort.formats.volume_file import decode_stored, read_stored
from gliobench.cohort.problem import NODULES
from gliobench.cohort.read import load_subject, read_cohort

from .dicom_series import AFFINE, PERSON, slices, write_series
from .test_dicom import segmentation

SHAPE = (8, 7, 3)
ON: Volume = (np.zeros(SHAPE, np.float32), AFFINE)
Contour = list[tuple[float, float, float]]  # corners in voxels


def rectangle(left: float, top: float, right: float, bottom: float, z: float) -> Contour:
    return [(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)]


LARGE, HOLE = rectangle(0.5, 0.5, 5.5, 4.5, 1), rectangle(1.5, 1.5, 3.5, 2.5, 1)  # 5 x 4 and 2 x 1 voxels


def structures(contours: dict[str, list[Contour]], kind: str = "CLOSED_PLANAR") -> Dataset:
    """An RTSTRUCT; its structures are numbered from 7, in the order of their names."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = "1.2.8"
    one.SeriesInstanceUID, one.Modality, one.PatientName = "1.2.8.1", "RTSTRUCT", PERSON
    one.StructureSetROISequence, one.ROIContourSequence = [], []
    for number, (name, corners) in enumerate(contours.items(), start=7):
        named, drawn = Dataset(), Dataset()
        named.ROINumber, named.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, [_contour(points, kind) for points in corners]
        one.StructureSetROISequence.append(named)
        one.ROIContourSequence.append(drawn)
    return one


def _contour(points: Contour, kind: str) -> Dataset:
    world = np.array([AFFINE @ (*point, 1) for point in points])[:, :3] * (-1, -1, 1)  # to LPS
    contour = Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
    contour.ContourData = [f"{value:.6f}" for value in world.ravel()]
    return contour


def read(folder: Path, dataset: Dataset, wanted: dict[str, int] | None = None, on: Volume | None = ON) -> np.ndarray:
    dataset.save_as(folder / "structures.dcm", enforce_file_format=True)
    voxels, affine = decode_stored(read_stored(folder / "structures.dcm"), on, wanted or {})
    assert np.array_equal(affine, AFFINE)
    return voxels


def test_contours_are_drawn_on_the_image_and_a_second_one_cuts_a_hole(tmp_path: Path) -> None:
    voxels = read(tmp_path, structures({"GTV": [LARGE, HOLE, rectangle(6.6, 5.6, 7.4, 6.4, 2)]}))
    expected = np.zeros(SHAPE, np.uint8)
    expected[1:6, 1:5, 1] = 1
    expected[2:4, 2:3, 1] = 0
    expected[7, 6, 2] = 1
    assert np.array_equal(voxels, expected)


def test_a_slanted_side_keeps_the_voxels_whose_centres_are_inside(tmp_path: Path) -> None:
    triangle: Contour = [(-0.2, -0.2, 0), (4.4, -0.2, 0), (-0.2, 4.4, 0)]  # x + y < 4.2
    voxels = read(tmp_path, structures({"GTV": [triangle]}))
    x, y = np.indices(SHAPE[:2])
    assert np.array_equal(voxels[..., 0], x + y <= 4)


def test_the_name_says_which_structure_is_which_label(tmp_path: Path) -> None:
    both = structures({"Lung": [rectangle(6.5, 0.5, 7.4, 5.5, 1)], "GTV-1 ": [LARGE], "empty": []})
    with pytest.raises(VolumeError, match=r"2 structures \(Lung, GTV-1 ?\).*structures"):
        read(tmp_path, both)
    assert np.unique(read(tmp_path, both, {"gtv-1": 3})).tolist() == [0, 3]
    voxels = read(tmp_path, both, {"GTV-1": 1, "lung": 2})
    assert [(voxels == label).sum() for label in (1, 2)] == [20, 5]
    with pytest.raises(VolumeError, match=r"none of the structures tumour is among .*Lung, GTV-1"):
        read(tmp_path, both, {"tumour": 1})


REFUSED = {
    "between slices": ({"GTV": [rectangle(0, 0, 3, 3, 0.4)]}, "CLOSED_PLANAR", r"0\.40 voxels off"),
    "oblique": ({"GTV": [[(0, 0, 0), (3, 0, 1), (3, 3, 2)]]}, "CLOSED_PLANAR", "voxels off"),
    "outside": ({"GTV": [rectangle(0, 0, 9, 3, 1)]}, "CLOSED_PLANAR", "outside the image"),
    "open": ({"GTV": [LARGE]}, "OPEN_PLANAR", "type OPEN_PLANAR"),
    "sparse": ({"GTV": [rectangle(0, 0, 3, 3, 0), rectangle(0, 0, 3, 3, 2)]}, "CLOSED_PLANAR", "every 2 slices"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_contours_that_do_not_fit_the_image_are_refused(tmp_path: Path, fault: str) -> None:
    contours, kind, reason = REFUSED[fault]
    with pytest.raises(VolumeError, match=reason):
        read(tmp_path, structures(contours, kind))


def test_overlap_and_a_missing_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="overlaps"):
        read(tmp_path, structures({"a": [LARGE], "b": [LARGE]}), {"a": 1, "b": 2})
    with pytest.raises(VolumeError, match="needs one 3D image"):
        read(tmp_path, structures({"a": [LARGE]}), on=None)


def test_segments_are_chosen_by_their_names_too(tmp_path: Path) -> None:
    mask = np.zeros((5, 4, 3), np.uint8)
    mask[1, 2, 0], mask[3, 1, 1] = 1, 2
    segmentation(mask).save_as(tmp_path / "seg.dcm")
    voxels, _ = decode_stored(read_stored(tmp_path / "seg.dcm"), None, {"Part 2": 1})
    assert (voxels[3, 1].max(), voxels.sum()) == (1, 1)


def test_a_cohort_of_series_and_structures_is_read(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", slices(voxels=np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)))
    structures({"Lung": [rectangle(6.5, 0.5, 7.4, 5.5, 1)], "GTV": [LARGE]}).save_as(
        tmp_path / "structures.dcm", enforce_file_format=True
    )
    (tmp_path / "table.csv").write_text("id,ct,mask,class\nA,ct,structures.dcm,benign\n")
    problem = replace(NODULES, structures=(("gtv", 1),))
    cohort = read_cohort(tmp_path / "table.csv", problem)
    (subject,) = cohort.subjects
    labels = load_subject(subject, cohort.labels, problem).labels
    assert labels is not None
    assert labels.sum() == 20
    assert labels[1:6, 1:5, 1].all()
