"""Which files of a folder are DICOM, told by their first bytes; no package is needed for that."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from gliobench.cohort.formats.stored import VolumeError, read_bytes, refuse_large

PREAMBLE, MAGIC = 128, b"DICM"  # PS3.10, 7.1
INDEX = "DICOMDIR"  # lists the files of a medium; itself DICOM
SAMPLED = 5  # files that are opened to tell a folder of slices from any other


def is_dicom(data: bytes) -> bool:
    return data[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC


def holds_dicom(folder: Path) -> bool:
    """Whether DICOM files are among the first files of a folder. Raises OSError."""
    return folder.is_dir() and any(_starts_as_dicom(path) for path in islice(_candidates(folder), SAMPLED))


def read_folder(folder: Path) -> dict[str, bytes]:
    """The DICOM files that are directly in a folder: name -> bytes, in the order of the names. Raises VolumeError."""
    found, size = {}, 0
    try:
        for path in _candidates(folder):
            if _starts_as_dicom(path):
                size += path.stat().st_size
                refuse_large(size)
                found[path.name] = read_bytes(path)
    except OSError as error:
        raise VolumeError(f"cannot be read: {error.strerror}") from error
    if not found:
        raise VolumeError("a folder without DICOM files: expected the slices of one series directly in it")
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.name.upper() != INDEX and path.is_file()
    )


def _starts_as_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return is_dicom(file.read(PREAMBLE + len(MAGIC)))
