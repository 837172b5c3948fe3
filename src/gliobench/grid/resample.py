"""From a scan's own voxels to a grid's: orientation, placement and interpolation.

Indices are of voxel centres: index 0 is the centre of the first voxel, whose edge is at -0.5. In
`torch.nn.functional.grid_sample` that is `align_corners=False` with (2 * index + 1) / size - 1. A grid's affine is the
scan's affine times the same start and step that the sampling uses, so the two cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from gliobench.cohort.subject import RawSubject

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Scan:
    """A patient's voxels reoriented to (z, y, x) = (inferior to superior, anterior to posterior, right to left).

    `images` (C, Z, Y, X), `labels` and `readers` (Z, Y, X) are views of the source; `affine` maps (z, y, x) to world mm
    (RAS+).
    """

    images: NDArray[np.generic]
    labels: NDArray[np.uint8] | None
    affine: NDArray[np.float64]
    readers: NDArray[np.uint8] | None = None

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Millimetres between neighbouring voxels along z, y and x; (3,)."""
        spacing: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing


@dataclass(frozen=True)
class Placement:
    """The placement of a grid in a scan: scan index = `start` + `step` * grid index along each of (z, y, x)."""

    start: Triple
    step: Triple
    shape: tuple[int, int, int]

    def along(self, axis: int) -> NDArray[np.float64]:
        """The scan's (fractional) indices of the grid's voxels along one axis."""
        return self.start[axis] + self.step[axis] * np.arange(self.shape[axis], dtype=np.float64)

    def affine(self, scan: NDArray[np.float64]) -> NDArray[np.float64]:
        """(4, 4) grid index (d, h, w) to world millimetres, given the scan's affine."""
        placed = np.diag([*self.step, 1.0])
        placed[:3, 3] = self.start
        return scan @ placed


def orient(raw: RawSubject) -> Scan:
    """Permute and flip the axes, without interpolation, to the nearest of the directions L, P, S; then to (z, y, x)."""
    images, affine = turned(np.moveaxis(raw.images, 0, -1), raw.affine)
    labels = None if raw.labels is None else turned(raw.labels, raw.affine)[0]
    readers = None if raw.readers is None else turned(raw.readers, raw.affine)[0]
    return Scan(images, labels, affine, readers)


def turned(volume: NDArray[Any], affine: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """A volume (x, y, z, …) reoriented to (…, z, y, x) as in `Scan`, a view, and the affine of (z, y, x)."""
    to_lps = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    placed = affine @ inv_ornt_aff(to_lps, volume.shape[:3])
    return apply_orientation(volume, to_lps).transpose(), placed[:, [2, 1, 0, 3]]


def centred(
    centre: NDArray[np.float64], spacing_mm: Sequence[float], shape: tuple[int, int, int], scan: Scan
) -> Placement:
    """A grid centred on the scan's (fractional) index `centre`, with voxels of `spacing_mm`; all (z, y, x)."""
    step = np.asarray(spacing_mm) / scan.spacing_mm
    start = centre - step * (np.asarray(shape) - 1) / 2
    return Placement(_triple(start), _triple(step), shape)


def nearest(volume: NDArray[Any], placement: Placement) -> NDArray[Any]:
    """The nearest voxel of `volume` (Z, Y, X) at each voxel of the grid, (D, H, W); zero outside the scan."""
    sampled = np.zeros(placement.shape, volume.dtype)
    found, place = volume, []
    for axis, size in enumerate(volume.shape):  # axis by axis: several times faster than all indices at once
        index = np.floor(placement.along(axis) + 0.5).astype(np.intp)
        first, end = np.searchsorted(index, (0, size))
        found = found.take(index[first:end], axis)
        place.append(slice(first, end))
    sampled[tuple(place)] = found
    return sampled


def trilinear(images: NDArray[np.generic], placement: Placement, voxels: NDArray[np.intp]) -> NDArray[np.float32]:
    """The images (C, Z, Y, X), interpolated linearly at N voxels of the grid; (C, N) float32.

    `voxels` are flat indices into (D, H, W), as from `numpy.flatnonzero`. Beyond its outermost voxel centres the scan
    is extended with its edge values. Only the requested voxels are computed, and only the part of the scan that they
    need is copied.
    """
    import torch
    from torch.nn.functional import grid_sample

    window, points = [], []
    for axis, (wanted, size) in enumerate(
        zip(np.unravel_index(voxels, placement.shape), images.shape[1:], strict=True)
    ):
        along = placement.along(axis)
        ends = along[[wanted.min(), wanted.max()]]
        first = int(np.clip(np.floor(ends[0]), 0, size - 1))
        last = int(np.clip(np.floor(ends[1]) + 1, 0, size - 1))
        window.append(slice(first, last + 1))
        points.append(((2 * (along - first) + 1) / (last + 1 - first) - 1).astype(np.float32)[wanted])
    source = torch.from_numpy(np.ascontiguousarray(images[:, *window], dtype=np.float32))
    grid = torch.from_numpy(np.stack(points[::-1], axis=-1))[None, None, None]
    sampled = grid_sample(source[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    result: NDArray[np.float32] = sampled[0, :, 0, 0].numpy()
    return result


def _triple(values: NDArray[np.float64]) -> Triple:
    first, second, third = values.tolist()
    return first, second, third
