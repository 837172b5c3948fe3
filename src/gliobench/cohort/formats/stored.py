"""The bytes of one volume as stored, whatever its format."""

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.errors import GliobenchError

LARGEST_BYTES = 2**30  # 512 x 512 x 512 voxels of float64; a BraTS volume has 18 MB
HEADER_ROOM = 352  # bytes that a header may add to the largest volume


class VolumeError(GliobenchError, ValueError):
    """Not a complete volume; the message says what was found and expected, without the path."""


@dataclass(frozen=True)
class Stored:
    """All bytes of a volume, read once: of one file, of a header and its data file, or of a folder's DICOM files.

    `path`: what was named, a file or a folder. `files`: name -> bytes, in the order of the names.
    """

    path: Path
    files: Mapping[str, bytes]

    @property
    def data(self) -> bytes:
        """The bytes of the named file itself."""
        return self.files[self.path.name]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hexadecimal): of the bytes of one file; of several, of their digests in the order of the names."""
        digests = [hashlib.sha256(data).hexdigest() for data in self.files.values()]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises VolumeError where it cannot be read, is not a file, or is larger than any scan."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise VolumeError("not a file")
        refuse_large(found.st_size)
        return path.read_bytes()
    except OSError as error:
        raise VolumeError(f"cannot be read: {error.strerror}") from error


def finite(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine (4, 4). Raises VolumeError where it has a number that is not finite."""
    if not np.isfinite(affine).all():
        raise VolumeError(f"a damaged header: affine {affine.tolist()}: copy the file again")
    return affine


def refuse_large(size: int) -> None:
    """Raise VolumeError where so many bytes are more than a scan has."""
    if size > LARGEST_BYTES + HEADER_ROOM:
        raise VolumeError(f"{size / 2**30:.1f} GiB: expected a scan of at most {LARGEST_BYTES >> 30} GiB")
