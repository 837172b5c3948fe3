"""Values of answers as plain JSON, and masks of whole patients as files of packed bits beside it."""

import hashlib
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import SliceFrame
from gliobench.integrity import set_aside
from gliobench.records.errors import RecordError
from gliobench.tasks.geometry import Value, VolumeMask
from gliobench.tasks.registry import TASKS, task_of

WHOLE_MASK = "mask"  # key of the shape (D, H, W) of a whole patient's mask


@dataclass(frozen=True)
class Arrays:
    """A folder of masks, one file per key: (ceil(D * H * W / 8),) uint8, the bits of the mask in C order.

    The digest of a mask's bits is in its record, so that other bits are detected.
    """

    folder: Path

    def save(self, key: str, mask: NDArray[np.bool_]) -> str:
        """Write a mask and return the digest of its bits; atomically.

        Raises RecordError where it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        partial, bits = self.folder / f".{key}.{platform.node()}.{os.getpid()}.npy", np.packbits(mask)
        try:
            with partial.open("wb") as file:
                np.save(file, bits)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RecordError(
                f"{self.folder}: a mask cannot be written ({error.strerror or error}); the answers before it are kept. "
                "Free disk space and run the same command again: it resumes where it stopped"
            ) from error
        path = self.folder / f"{key}.npy"
        if path.is_dir():
            set_aside(path)
        partial.replace(path)
        return _bits_digest(bits)

    def load(self, key: str, shape: tuple[int, ...], digest: str | None = None) -> NDArray[np.bool_]:
        """Read a mask of `shape`, checked against the `digest` of its bits where there is one.

        Raises RecordError where the file is missing or damaged.
        """
        path, count = self.folder / f"{key}.npy", math.prod(shape)
        try:
            bits = np.load(path, allow_pickle=False)
            if bits.dtype != np.uint8 or bits.shape != (-(-count // 8),):
                raise ValueError(f"{bits.dtype} {bits.shape}, expected the bits of {count} voxels")
            if digest is not None and _bits_digest(bits) != digest:
                raise ValueError("its checksum does not match")
        except Exception as error:  # NumPy parses the header with Python's own parser: garbage may raise anything
            raise RecordError(
                f"the mask {path} is missing or damaged ({error}). Restore it from a copy, or run `gliobench repair "
                f"{self.folder.parent.parent}`: the next run asks for this mask again"
            ) from error
        return np.unpackbits(bits, count=count).reshape(shape).astype(bool)


def encode_value(value: Value | None, key: str, arrays: Arrays) -> dict[str, Any]:
    """Plain JSON for a value: {"grade": 1}, {"point": [row, column]}, … as its task says; of a whole patient's mask
    {"mask": [D, H, W], "digest": of its bits} with the voxels in `arrays`, those of the inner regions under the key
    with the region's name, their digests in "inner"; {"tumour": false} where there is none."""
    if value is None:
        return {"tumour": False}
    if not isinstance(value, VolumeMask):
        task = task_of(value)
        return {task.json_key: task.to_json(value)}
    inner = {"core": value.core, "enhancing": value.enhancing}
    found = {region: mask for region, mask in inner.items() if mask is not None}
    inner_digests = {region: arrays.save(f"{key}-{region}", mask) for region, mask in found.items()}
    whole = {WHOLE_MASK: list(value.voxels.shape), "key": key, "digest": arrays.save(key, value.voxels)}
    return whole | ({"inner": inner_digests} if found else {})


def decode_value(value: Mapping[str, Any], frame: SliceFrame | None, arrays: Arrays) -> Value | None:
    """The inverse of `encode_value`; geometry of a slice needs its `frame`."""
    if value.get("tumour") is False:
        return None
    if {WHOLE_MASK, "key"} <= value.keys():
        shape, key = tuple(value[WHOLE_MASK]), value["key"]
        inner = {region: arrays.load(f"{key}-{region}", shape, digest) for region, digest in _inner(value).items()}
        return VolumeMask(arrays.load(key, shape, value.get("digest")), **inner)
    for task in TASKS.values():
        if task.json_key in value:
            return task.from_json(value[task.json_key], frame)
    raise ValueError(f"a value of unknown kind: {sorted(value)}")


def _inner(value: Mapping[str, Any]) -> Mapping[str, str | None]:
    """The digests of a mask's inner regions by their names; None in records of earlier versions, which list these."""
    inner = value.get("inner", {})
    return inner if isinstance(inner, Mapping) else dict.fromkeys(inner)


def mask_files(value: Mapping[str, Any] | None) -> dict[str, str | None]:
    """The mask files of a value: the digest of its bits by the name under which `Arrays` keeps it."""
    if value is None or WHOLE_MASK not in value:
        return {}
    inner = {f"{value['key']}-{region}": digest for region, digest in _inner(value).items()}
    return {value["key"]: value.get("digest"), **inner}


def _bits_digest(bits: NDArray[np.uint8]) -> str:
    return hashlib.blake2b(bits.tobytes(), digest_size=16).hexdigest()
