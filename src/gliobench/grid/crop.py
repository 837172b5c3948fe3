"""A patient cropped to a tumour, or with another mask, from the truth or from a model."""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import WHOLE_KEY, regions_of

Shape = tuple[int, int, int]


def crop_around(subject: PreparedSubject, mask: NDArray[np.bool_], shape: Shape) -> PreparedSubject:
    """The patient's voxels in a box of `shape` (D, H, W), centred on the mask's bounding box; no interpolation.

    `mask` (D, H, W) of the patient's grid; for an empty one the grid's centre is used. Voxels beyond the grid are 0.
    """
    start = _start(mask, shape)
    image = _cut(np.asarray(subject.image), start, shape)
    labels = None if subject.labels is None else _cut(np.asarray(subject.labels)[None], start, shape)[0]
    affine = subject.affine.copy()
    affine[:3, 3] = subject.affine[:3, :3] @ start + subject.affine[:3, 3]
    content = _digest(subject.content, str([*start, *shape]).encode())
    return replace(subject, image=image, labels=labels, affine=affine, content=content)


def with_mask(subject: PreparedSubject, mask: NDArray[np.bool_]) -> PreparedSubject:
    """The patient with `mask` (D, H, W) in place of the truth, as label 1, the whole region that is asked about."""
    content = _digest(subject.content, np.packbits(mask).tobytes())
    return replace(
        subject, labels=mask.astype(np.uint8), content=content, region=regions_of(subject.problem)[WHOLE_KEY]
    )


def _start(mask: NDArray[np.bool_], shape: Shape) -> NDArray[np.intp]:
    """The grid's index of the box's first voxel, (3,); it may be negative."""
    places = np.argwhere(mask)
    first, last = (places.min(axis=0), places.max(axis=0)) if len(places) else (0, np.array(mask.shape) - 1)
    start: NDArray[np.intp] = (first + last + 1 - np.array(shape)) // 2
    return start


def _cut(volumes: NDArray[np.uint8], start: NDArray[np.intp], shape: Shape) -> NDArray[np.uint8]:
    cut = np.zeros((len(volumes), *shape), np.uint8)
    source, place = [slice(None)], [slice(None)]
    for first, size, whole in zip(start.tolist(), shape, volumes.shape[1:], strict=True):
        low, high = max(first, 0), max(min(first + size, whole), 0)
        source.append(slice(low, high))
        place.append(slice(low - first, high - first))
    cut[tuple(place)] = volumes[tuple(source)]
    return cut


def _digest(content: str, change: bytes) -> str:
    return hashlib.sha256(content.encode() + change).hexdigest()
