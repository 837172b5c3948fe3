"""The one door to volumes on disk: read the bytes of an image or a mask, and decode them by their format."""

from collections.abc import Callable
from pathlib import Path

from gliobench.cohort.align import Volume
from gliobench.cohort.formats import itk
from gliobench.cohort.formats.dicom import NO_STRUCTURES, decode_dicom
from gliobench.cohort.formats.dicom_files import is_dicom, read_folder
from gliobench.cohort.formats.dicom_structures import Labels
from gliobench.cohort.formats.stored import Stored, read_bytes
from gliobench.cohort.nifti import decode_volume

DICOM = ".dcm"
SUFFIXES = (".nii.gz", ".nii", *itk.SUFFIXES, DICOM)


def read_stored(path: Path) -> Stored:
    """All bytes of the volume that a file or a folder of DICOM slices holds. Raises VolumeError."""
    if path.is_dir():
        return Stored(path, read_folder(path))
    files = {path.name: read_bytes(path)}
    if path.suffix.lower() in itk.SUFFIXES and (name := itk.data_file(files[path.name])) not in (None, path.name):
        files[name] = read_bytes(path.parent / name)
    return Stored(path, dict(sorted(files.items())))


def decode_stored(stored: Stored, onto: Volume | None = None, structures: Labels = NO_STRUCTURES) -> Volume:
    """Voxels (X, Y, Z) or, of NIfTI, (X, Y, Z, C), and affine (4, 4), voxel index to world millimetres (RAS+).

    A file with an unknown suffix is read as NIfTI. `onto`, `structures`: for masks of DICOM, see `decode_dicom`. Raises
    VolumeError.
    """
    return _decoder(stored, onto, structures)(stored)


def _decoder(stored: Stored, onto: Volume | None, structures: Labels) -> Callable[[Stored], Volume]:
    suffix, is_folder = stored.path.suffix.lower(), stored.path.name not in stored.files
    if not is_folder and suffix in itk.SUFFIXES:
        return itk.decode_itk
    if is_folder or suffix == DICOM or is_dicom(stored.data):
        return lambda one: decode_dicom(one, onto, structures)
    return lambda one: decode_volume(one.data)
