"""Between the grid and the patient's own scan: masks that open in any viewer over the original images, and external
masks on such voxels."""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from gliobench.cohort.align import Volume, turned_onto
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.resample import Placement, nearest, turned

HALF = 0.5
TURNED_VOXELS = 0.1  # how far a mask's axes may deviate from the grid's across the whole grid
TIE = 1e-6  # voxels; halves are rounded up, as for labels, whatever the rounding of the affines


def to_native(mask: NDArray[np.bool_], subject: PreparedSubject) -> NDArray[np.bool_]:
    """A mask of the grid (D, H, W) on the voxels of the patient's files, (x, y, z): linear, thresholded at one half.

    Voxels outside the grid are outside the mask. Resampled by nibabel.
    """
    if mask.shape != subject.shape:
        raise ValueError(f"{subject.id}: the mask has shape {mask.shape}, the patient's grid {subject.shape}")
    on_grid = nib.Nifti1Image(mask.astype(np.float32), subject.affine)
    resampled = resample_from_to(on_grid, (subject.native_shape, subject.native_affine), order=1)
    native: NDArray[np.bool_] = np.asarray(resampled.dataobj) >= HALF
    return native


def to_grid(labels: NDArray[np.generic], affine: NDArray[np.float64], subject: PreparedSubject) -> NDArray[np.bool_]:
    """Where labels (x, y, z) with their affine are above 0, on the patient's grid (D, H, W): the nearest voxel, as for
    the patient's own labels.

    A mask with the scan's shape must be on the scan's voxels, with axes permuted or flipped at most; one on other
    voxels is placed by its affine. Raises ValueError: it is not on the scan's voxels, it has no affine, it is rotated
    relative to the scan, or most of the tumour is outside the scan.
    """
    if (reason := _misplaced((labels, affine), subject)) is not None:
        raise ValueError(f"{reason}: if only the header is wrong, give it the scan's; else resample it onto the scan")
    volume, placed = turned(np.asarray(labels) > 0, affine)
    to_volume = np.linalg.inv(placed) @ subject.affine  # grid (d, h, w) to the volume's (z, y, x)
    step = np.diag(to_volume)[:3]
    strayed = np.abs(to_volume[:3, :3] - np.diag(step)) @ np.asarray(subject.shape)
    if strayed.max() > TURNED_VOXELS:
        raise ValueError(
            f"it is rotated relative to the patient's scan (by {strayed.max():.1f} voxels): resample it onto the scan"
        )
    if (outside := _share_outside(volume, placed, subject)) > HALF:
        what = subject.problem.finding_words
        raise ValueError(f"{outside:.0%} of its {what} is outside the patient's scan: it needs the scan's affine")
    depth, height, width = (to_volume[:3, 3] + TIE).tolist()
    along, down, across = step.tolist()
    mask: NDArray[np.bool_] = nearest(volume, Placement((depth, height, width), (along, down, across), subject.shape))
    return mask


def _misplaced(mask: Volume, subject: PreparedSubject) -> str | None:
    """Why a mask's affine is wrong; None where it is the scan's or the grid's own, or for other voxels."""
    scan = _empty(subject.native_shape, subject.native_affine)
    if any(turned_onto(mask, own) for own in (scan, _empty(subject.shape, subject.affine))):
        return None
    shape, affine = mask[0].shape, mask[1]
    if sorted(shape) == sorted(subject.native_shape):
        apart = float(np.abs(affine - subject.native_affine).max())
        return f"it has the shape of the patient's scan, {shape}, and another affine, by up to {apart:.3g}"
    if np.array_equal(np.abs(affine), np.eye(4)):
        return (
            f"its affine is a default (voxels of 1 mm from 0), and its shape {shape} is not that of the patient's scan"
        )
    return None


def _empty(shape: tuple[int, int, int], affine: NDArray[np.float64]) -> Volume:
    return np.broadcast_to(np.uint8(0), shape), affine


def _share_outside(volume: NDArray[np.bool_], affine: NDArray[np.float64], subject: PreparedSubject) -> float:
    """The proportion of a mask's voxels whose centre is outside the patient's scan; 0 for an empty mask."""
    voxels = np.argwhere(volume)
    if not len(voxels):
        return 0.0
    to_scan = np.linalg.inv(subject.native_affine) @ affine
    places = voxels @ to_scan[:3, :3].T + to_scan[:3, 3]
    within = (places > -HALF - TIE) & (places < np.asarray(subject.native_shape) - HALF + TIE)
    return float(1 - within.all(axis=1).mean())


def write_native(labels: NDArray[np.uint8], subject: PreparedSubject, path: Path) -> None:
    """Write labels (x, y, z) as NIfTI with the scan's own affine, atomically; `path` ends in .nii.gz."""
    image = nib.Nifti1Image(labels, subject.native_affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    nib.save(image, partial)
    partial.replace(path)
