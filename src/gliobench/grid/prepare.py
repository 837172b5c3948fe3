"""One patient to the common grid, in memory."""

import hashlib
from dataclasses import asdict

import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from gliobench.cohort.subject import RawSubject
from gliobench.grid.intensity import stretch, stretch_and_equalise
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.recipe import Recipe
from gliobench.grid.resample import Sampling, around, sample

VERSION = 1  # part of every content key: raise it when the same recipe starts to give other voxels
STUDY_MARGIN_MM = 30.0
STUDY_FIELD_MM = 128.0
TUMOUR_FIELD_MM = (95.0, 128.0, 128.0)


class NoMaskError(ValueError):
    """The recipe needs a mask and the patient has none."""


def content_key(source: str, recipe: Recipe) -> str:
    """SHA-256 of the source's content digest, the recipe and this module's version."""
    return hashlib.sha256(f"{source} {sorted(asdict(recipe).items())} {VERSION}".encode()).hexdigest()


def prepare_subject(raw: RawSubject, recipe: Recipe) -> PreparedSubject:
    """Reorient to (inferior-superior, anterior-posterior, right-left), resample, and bring intensities to 8 bits.

    Oblique scans keep their axes, the nearest anatomical one each. Images are interpolated, labels nearest.
    Raises NoMaskError where the recipe is `tumour` and the patient has no mask.
    """
    images, to_native = _reorient(raw.images, raw.affine)
    labels = None if raw.labels is None else _reorient(raw.labels[None], raw.affine)[0][0]
    affine = raw.affine @ to_native
    sampling = _place(raw.id, images, labels, np.linalg.norm(affine[:3, :3], axis=0), recipe)
    intensity = stretch_and_equalise if recipe.preset == "study" else stretch
    return PreparedSubject(
        id=raw.id,
        grade=raw.grade,
        image=np.stack([intensity(modality) for modality in sample(images, sampling)]),
        labels=None if labels is None else sample(labels[None], sampling, nearest=True)[0].astype(np.uint8),
        affine=affine @ sampling.matrix,
        native_affine=raw.affine,
        native_shape=_three(raw.images.shape[1:]),
        oracle=recipe.oracle,
        content=content_key(raw.content, recipe),
    )


def _reorient(
    volumes: NDArray[np.generic], affine: NDArray[np.float64]
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """(C, X, Y, Z) in any orientation to (C, S, P, L) axes, as a view; and the matrix from the new index to the old."""
    shape = volumes.shape[1:]
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    order = np.argsort(turn[:, 0]).astype(int)
    turned = volumes.transpose(0, *(order + 1))
    for axis, source in enumerate(order):
        if turn[source, 1] < 0:
            turned = np.flip(turned, axis + 1)
    reverse = np.eye(4)[[2, 1, 0, 3]]  # (z, y, x) index to (x, y, z) index
    return turned.transpose(0, 3, 2, 1), inv_ornt_aff(turn, shape) @ reverse


def _place(
    id: str,
    images: NDArray[np.generic],
    labels: NDArray[np.generic] | None,
    spacing_mm: NDArray[np.float64],
    recipe: Recipe,
) -> Sampling:
    """Where the grid lies in the reoriented source."""
    if recipe.preset == "tumour":
        if labels is None:
            raise NoMaskError(f"{id} has no mask; the recipe `tumour` is placed by it")
        low, high = _box(labels[None])
        return around((low + high) / 2, np.asarray(TUMOUR_FIELD_MM) / spacing_mm, recipe.shape)
    if recipe.preset == "study":
        margin = round(STUDY_MARGIN_MM / float(spacing_mm[0]))
        margin = min(margin, (images.shape[1] - 1) // 2)
        kept = images[:, margin : images.shape[1] - margin]
        low, high = _box(kept)
        centre = np.array([(images.shape[1] - 1) / 2, *((low + high) / 2)[1:]])
        extent = np.array([kept.shape[1], *(STUDY_FIELD_MM / spacing_mm[1:])])
        return around(centre, extent, recipe.shape)
    low, high = _box(images)
    grid_spacing_mm = float(((high - low + 1) * spacing_mm / np.asarray(recipe.shape)).max())
    return around((low + high) / 2, grid_spacing_mm * np.asarray(recipe.shape) / spacing_mm, recipe.shape)


def _box(volumes: NDArray[np.generic]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last index of the non-zero voxels along each axis; the whole volume where there is none."""
    inside = (volumes != 0).any(axis=0)
    low, high = [], []
    for axis in range(3):
        found = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        low.append(found[0] if found.size else 0)
        high.append(found[-1] if found.size else inside.shape[axis] - 1)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    first, second, third = shape
    return first, second, third
