"""DICOM: the slices of one series as an image, a multi-frame file, and DICOM-SEG or RTSTRUCT as a mask; decoded by
highdicom.

DICOM's world is LPS+; ours is RAS+. The tags of persons are dropped before anything else is read, and messages name
files, numbers and series only.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume
from gliobench.cohort.formats.dicom_geometry import check_stack
from gliobench.cohort.formats.dicom_structures import Labels, chosen, drawn
from gliobench.cohort.formats.stored import Stored, VolumeError, finite

if TYPE_CHECKING:
    from highdicom import Volume as DicomVolume
    from pydicom import Dataset

PATIENT = 0x0010  # the group of the patient's tags: name, id, birth date, …
OTHER_PERSONS = (
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingPhysician",
    "OperatorsName",
    "ContentCreatorName",
)
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # SOP classes: segments, label map
NO_STRUCTURES: Labels = {}
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"  # RTSTRUCT
GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
NAMED = 5  # series, in a message
REAL = {"apply_real_world_transform": False, "apply_presentation_lut": False}  # rescale slope and intercept alone
UPRIGHT = {"perpendicular_tol": 1e-6}  # 1 less the cosine of a tilt: 0.2 mm over a head of 150 mm
SPARSE = 1.9  # slices this many thicknesses apart: some between them may have been left out as empty


def decode_dicom(stored: Stored, onto: Volume | None = None, structures: Labels = NO_STRUCTURES) -> Volume:
    """Voxels (X, Y, Z) and affine (4, 4) in RAS+ millimetres of the DICOM files of one image or mask.

    x runs along a row, y down a column, z from slice to slice. An image is float32 after rescale slope and intercept
    (float64 of more than 16 bits); a mask has the numbers of its segments, or the labels of the named `structures`; the
    contours of an RTSTRUCT are drawn on the voxels of `onto`, the patient's first image. Raises VolumeError: highdicom
    is not installed, damaged files, several series, slices that are missing, unevenly spaced, doubled, tilted or
    turned, colour images, overlapping or fractional segments, contours that do not fit `onto`.
    """
    datasets = {name: _parsed(name, data) for name, data in stored.files.items()}
    try:
        _refuse_several(datasets)
        if (first := next(iter(datasets.values()))).SOPClassUID == STRUCTURES:
            return drawn(first, onto, structures)
        volume = _volume(datasets, structures).flip_spatial(0)  # slices along row x column, as in ITK
    except VolumeError:
        raise
    except Exception as error:  # decoders of compressed pixels and highdicom raise all kinds
        raise VolumeError(f"DICOM that cannot be decoded: {type(error).__name__}: {error}") from error
    if volume.array.ndim != 3:
        raise VolumeError(f"a colour image or several volumes, shape {volume.array.shape}: expected 3 axes")
    return volume.array.T, finite(volume.get_affine("RAS")[:, [2, 1, 0, 3]])


def _parsed(name: str, data: bytes) -> "Dataset":
    try:
        from pydicom import config, dcmread
    except ImportError as error:
        raise VolumeError("needs pydicom and highdicom: pip install 'gliobench[dicom]'") from error
    config.settings.reading_validation_mode = config.IGNORE  # its warnings quote odd values
    try:
        dataset = dcmread(BytesIO(data))
        for tag in (*dataset.group_dataset(PATIENT).keys(), *OTHER_PERSONS):
            dataset.pop(tag, None)
    except Exception as error:  # pydicom's message may quote a tag
        raise VolumeError(f"{name} is not a complete DICOM file: copy it again") from error
    if missing := [tag for tag in ("SOPClassUID", "SeriesInstanceUID") if tag not in dataset]:
        raise VolumeError(f"{name} has no {', '.join(missing)}, so it is not a complete DICOM file: copy it again")
    return dataset


def _refuse_several(datasets: Mapping[str, "Dataset"]) -> None:
    series: dict[str, list[Dataset]] = defaultdict(list)
    for dataset in datasets.values():
        series[str(dataset.SeriesInstanceUID)].append(dataset)
    if len(series) == 1:
        return
    named = [
        f"{uid} (number {found[0].get('SeriesNumber', '?')}, {found[0].get('Modality', '?')}, {len(found)} files)"
        for uid, found in sorted(series.items())
    ]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    raise VolumeError(f"{len(named)} series, expected one per folder: {', '.join(named[:NAMED])}{more}")


def _volume(datasets: Mapping[str, "Dataset"], structures: Labels) -> "DicomVolume":
    first, *others = datasets.values()
    is_mask = first.SOPClassUID in SEGMENTATIONS
    if not is_mask and "NumberOfFrames" not in first:
        return _series(datasets)
    if others:
        raise VolumeError(f"{len(datasets)} files with several frames each: expected one, name it")
    return _segmentation(first, structures) if is_mask else _frames(first)


def _series(datasets: Mapping[str, "Dataset"]) -> "DicomVolume":
    """A series of single slices, ordered by position."""
    from highdicom.image import get_volume_from_series

    for name, dataset in datasets.items():
        if missing := [tag for tag in (*GEOMETRY, "PixelData") if tag not in dataset]:
            raise VolumeError(f"{name} has no {', '.join(missing)}: expected a slice of a scan")
    for tag in ("SamplesPerPixel", *GEOMETRY[2:]):
        if len(values := {str(dataset.get(tag)) for dataset in datasets.values()}) > 1:
            raise VolumeError(f"slices with different {tag}: {' and '.join(sorted(values)[:NAMED])}")
    check_stack(
        list(datasets),
        _numbers(datasets, "ImagePositionPatient"),
        _numbers(datasets, "ImageOrientationPatient"),
    )
    slices = list(datasets.values())
    for dataset in slices:  # equal up to rounding, as check_stack has seen
        dataset.ImageOrientationPatient = slices[0].ImageOrientationPatient
        dataset.setdefault("FrameOfReferenceUID", "")
    return get_volume_from_series(slices, dtype=_dtype(slices[0]), rtol=1.0, **REAL)


def _numbers(datasets: Mapping[str, "Dataset"], tag: str) -> NDArray[np.float64]:
    return np.array([dataset[tag].value for dataset in datasets.values()], dtype=np.float64)


def _frames(dataset: "Dataset") -> "DicomVolume":
    """A file with all slices, such as enhanced MR."""
    from highdicom import Image

    return Image.from_dataset(dataset).get_volume(dtype=_dtype(dataset), **REAL, **UPRIGHT)


def _dtype(dataset: "Dataset") -> type[np.floating[Any]]:
    """A type that holds stored values exactly."""
    return np.float64 if dataset.get("BitsAllocated", 16) > 16 else np.float32


def _segmentation(dataset: "Dataset", structures: Labels) -> "DicomVolume":
    """A mask with the numbers of the segments as labels, or those of the named `structures`; slices that were left out
    as empty are 0."""
    from highdicom.seg import Segmentation

    if dataset.get("SegmentationType") == "FRACTIONAL":
        raise VolumeError("a fractional DICOM-SEG (probabilities): expected a binary one or a label map")
    names = {int(one.SegmentNumber): str(one.get("SegmentLabel", "")) for one in dataset.SegmentSequence}
    labels = chosen(names, structures, "segments") if structures else {number: number for number in names}
    volume = Segmentation.from_dataset(dataset).get_volume(
        segment_numbers=sorted(labels), combine_segments=True, **UPRIGHT
    )
    _refuse_sparse(dataset, volume.spacing_between_slices)
    as_label = np.array([labels.get(number, 0) for number in range(max(names) + 1)], np.uint8)
    return volume.with_array(as_label[volume.array])


def _refuse_sparse(dataset: "Dataset", spacing_mm: float) -> None:
    """Raise VolumeError where it cannot be told how far apart the slices were before the empty ones were left out."""
    shared: Sequence[Dataset] = dataset.get("SharedFunctionalGroupsSequence", [])
    measures = shared[0].get("PixelMeasuresSequence", []) if shared else []
    if not measures or "SpacingBetweenSlices" in measures[0]:
        return
    thickness_mm = float(measures[0].get("SliceThickness") or spacing_mm)
    if spacing_mm > SPARSE * thickness_mm:
        raise VolumeError(
            f"the slices of the DICOM-SEG are {spacing_mm:g} mm apart and {thickness_mm:g} mm thick, and it has no "
            "SpacingBetweenSlices, so slices may have been left out: save it with its empty slices"
        )
