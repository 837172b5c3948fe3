"""Read NIfTI volumes quickly and within bounds: igzip decompresses, nibabel reads the header, NumPy views the voxels.

Faster than nibabel alone on gzipped scans, where decompression is most of the work. The header is read first and gives
the number of bytes of the volume; no more than these are decompressed.
"""

import logging
from io import BytesIO
from math import prod

import nibabel as nib
import numpy as np
from isal.igzip_lib import DECOMP_GZIP, IgzipDecompressor, IsalError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from gliobench.cohort.formats.stored import LARGEST_BYTES, VolumeError

GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES, HEADER_BYTES_2 = 348, 540  # of NIfTI-1 and NIfTI-2; the header begins with this number
EXTENDER = 4  # bytes after a header; voxels may begin behind. A header of two files (.hdr, .img) says 0
NIFTI_2 = HEADER_BYTES_2.to_bytes(4, "little"), HEADER_BYTES_2.to_bytes(4, "big")
OTHER_UNITS = {1: "metres", 3: "micrometres"}  # xyzt_units; millimetres are 2, and most writers leave 0 for them
FIRST_STEP, NEXT_STEP = 2**23, 2**16  # compressed bytes at a time: all of most files, then one member of bgzip's
MOST_MEMBERS = 100_000  # bgzip's hold 64 KiB each; many tiny ones would never end
_QUIET = logging.Logger("nifti", logging.CRITICAL)  # nibabel logs what it also raises, without the file's name
NO_ORIENTATION = (
    "the header has no orientation (sform_code and qform_code are 0), so the directions are unknown: "
    "convert the scan again from its source, or set the sform once you know the orientation "
    "(nibabel: image.set_sform(affine, code=1))"
)


class NiftiError(VolumeError):
    """A file that is not a complete NIfTI volume; the message says what was found and expected, without the path."""


def decode_volume(data: bytes) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Voxels (X, Y, Z) or (X, Y, Z, C) and affine (4, 4) of the bytes of a `.nii` or `.nii.gz` file.

    Voxels are a read-only view of their own dtype, or float32 where the header scales them. Raises NiftiError: broken
    or truncated gzip, no NIfTI header, no orientation, other units than millimetres, voxels that are not one real
    number each, other voxels than the header declares, more than `LARGEST_BYTES` of them.
    """
    source = _Gzip(data) if data[:2] == GZIP_MAGIC else BytesIO(data)
    head = source.read(HEADER_BYTES)
    kind = nib.Nifti1Header
    if head[:4] in NIFTI_2:
        kind, head = nib.Nifti2Header, head + source.read(HEADER_BYTES_2 - HEADER_BYTES)
    try:
        header = kind.from_fileobj(BytesIO(head), check=False)
        header.check_fix(logger=_QUIET)
        shape, dtype = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
        offset = int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (HeaderDataError, WrapStructError, EOFError, ValueError, OverflowError) as error:
        raise NiftiError(f"not a NIfTI file: {error}") from error
    if len(shape) < 3 or min(shape) < 1 or not np.isfinite(affine).all() or offset < len(head) + EXTENDER:
        raise NiftiError(
            f"a damaged header: shape {shape}, voxels from byte {offset}, affine {affine.tolist()}: copy the file again"
        )
    if unit := OTHER_UNITS.get(int(header["xyzt_units"]) & 7):
        raise NiftiError(f"the header gives sizes in {unit}: expected millimetres")
    if dtype.kind not in "iuf":
        raise NiftiError(f"voxels of type {header.get_value_label('datatype')}: expected one real number per voxel")
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        raise NiftiError(NO_ORIENTATION)
    voxels = _voxels(source, shape, dtype, offset, len(head))
    if slope is not None and (slope, intercept) != (1, 0):
        with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite then are a fault of their own
            voxels = voxels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return voxels, affine


def _voxels(
    source: "_Gzip | BytesIO", shape: tuple[int, ...], dtype: np.dtype[np.generic], offset: int, header_bytes: int
) -> NDArray[np.generic]:
    """The voxels after the header; axes of length 1 after the third are dropped.

    Less than a slice may follow them, as some writers pad blocks. With more than that the header is wrong.
    """
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    count, size = prod(shape), dtype.itemsize
    if offset + count * size > LARGEST_BYTES + HEADER_BYTES + EXTENDER:
        raise NiftiError(
            f"the header declares {offset + count * size} bytes, shape {shape}; expected at most "
            f"{LARGEST_BYTES >> 30} GiB: is it a complete scan?"
        )
    between = source.read(offset - header_bytes)
    data = source.read(count * size)
    if len(between) < offset - header_bytes or len(data) < count * size:
        raise NiftiError(
            f"truncated: the header declares {count} voxels, the file has {len(data) // size}: copy the file again"
        )
    slice_bytes = shape[0] * shape[1] * size
    if len(source.read(slice_bytes)) == slice_bytes:
        raise NiftiError(f"a damaged header: more voxels follow than its shape {shape} of {dtype}: copy the file again")
    return np.frombuffer(data, dtype=dtype, count=count).reshape(shape, order="F")


class _Gzip:
    """The content of gzipped bytes, piece by piece, so that no more is decompressed than needed. Complete members are
    checked against their checksums."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._step = memoryview(data), 0, FIRST_STEP
        self._member, self._members = IgzipDecompressor(flag=DECOMP_GZIP), 1

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer where the content ends. Raises NiftiError where it is broken or truncated."""
        pieces = []
        try:
            while size > 0 and not (self._member.eof and self._is_last()):
                pieces.append(self._piece(size))
                size -= len(pieces[-1])
        except (EOFError, OSError, ValueError, IsalError) as error:  # type: ignore[misc]
            raise NiftiError(f"broken or truncated gzip ({error}): copy the file again") from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        fed = self._data[self._at : self._at + self._step] if self._member.needs_input else b""
        self._at += len(fed)
        piece: bytes = self._member.decompress(fed, size)
        if self._member.eof:
            self._at -= len(self._member.unused_data)
        elif not piece and not fed:
            raise EOFError("it ends too early")
        return piece

    def _is_last(self) -> bool:
        """Whether no further member follows the one that ended; the file may be padded with zeros."""
        rest = bytes(self._data[self._at : self._at + NEXT_STEP])
        while rest and not rest.strip(b"\0"):
            self._at += len(rest)
            rest = bytes(self._data[self._at : self._at + NEXT_STEP])
        if not rest:
            return True
        self._at += len(rest) - len(rest.lstrip(b"\0"))
        if self._data[self._at : self._at + 2] != GZIP_MAGIC or self._members == MOST_MEMBERS:
            raise EOFError(f"other bytes follow {self._members} members")
        self._member, self._members = IgzipDecompressor(flag=DECOMP_GZIP), self._members + 1
        self._step = NEXT_STEP
        return False
