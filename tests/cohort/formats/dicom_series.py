"""DICOM series of nobody, written slice by slice."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PERSON = "Doe^Nobody"
VOXELS = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3) - 7  # x, y, z
COSINE, SINE = np.cos(0.3), np.sin(0.3)
ROW, COLUMN = np.array([COSINE, SINE, 0]), np.array([0.0, 0, -1])  # directions of x and y in LPS
NORMAL = np.cross(ROW, COLUMN)
X_MM, Y_MM, Z_MM = 0.9, 1.1, 5.0
ORIGIN = np.array([-10.0, 20.0, 30.0])
SLOPE, INTERCEPT = 2, -1000
AFFINE = np.diag([-1.0, -1, 1, 1]) @ np.column_stack(
    [[*ROW * X_MM, 0], [*COLUMN * Y_MM, 0], [*NORMAL * Z_MM, 0], [*ORIGIN, 1]]
)


def slices(series: str = "1.2.3", voxels: np.ndarray = VOXELS, **changed: object) -> list[Dataset]:
    """One dataset per slice of (x, y, z) stored values; `changed`: tags that differ."""
    return [_slice(series, voxels, index, changed) for index in range(voxels.shape[2])]


def _slice(series: str, voxels: np.ndarray, index: int, changed: dict[str, object]) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = CTImageStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series, str(index)])
    one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = PERSON, "no-4711", "19000101", "O"
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.2", series, "1.2.9"
    one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber, one.ReferringPhysicianName = "", "", "", "", ""
    one.Modality, one.SeriesNumber, one.InstanceNumber = "CT", 4, index + 1
    one.ImageOrientationPatient = [f"{value:.10f}" for value in (*ROW, *COLUMN)]
    one.ImagePositionPatient = [f"{value:.8f}" for value in ORIGIN + index * Z_MM * NORMAL]
    one.PixelSpacing, one.SliceThickness = [Y_MM, X_MM], Z_MM  # between rows first
    one.Rows, one.Columns, one.SamplesPerPixel = voxels.shape[1], voxels.shape[0], 1
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.RescaleSlope, one.RescaleIntercept = SLOPE, INTERCEPT
    one.PixelData = np.ascontiguousarray(voxels[:, :, index].T).tobytes()
    for tag, value in changed.items():
        setattr(one, tag, value)
    return one


def write_series(
    folder: Path, datasets: list[Dataset], name: Callable[[int], str] = lambda index: f"{99 - index}.dcm"
) -> Path:
    """Write slices so that the order of their names is not the order of their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, dataset in enumerate(datasets):
        dataset.save_as(folder / name(index), enforce_file_format=True)
    return folder
