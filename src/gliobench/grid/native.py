"""Between the grid and the patient's own scan: masks that open in any viewer over the original images, and masks made
elsewhere on such voxels."""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.resample import Placement, nearest, turned

HALF = 0.5
TURNED_VOXELS = 0.1  # how far a mask's axes may stray from the grid's across the whole grid
TIE = 1e-6  # voxels; half-way is upwards, as for labels, whatever the last digit of the affines says


def to_native(mask: NDArray[np.bool_], subject: PreparedSubject) -> NDArray[np.bool_]:
    """A mask of the grid (D, H, W) on the voxels of the patient's files, (x, y, z): linear, and at one half and above.

    What the grid does not cover is outside the mask. Resampled by nibabel.
    """
    if mask.shape != subject.shape:
        raise ValueError(f"{subject.id}: the mask has shape {mask.shape}, the patient's grid {subject.shape}")
    on_grid = nib.Nifti1Image(mask.astype(np.float32), subject.affine)
    resampled = resample_from_to(on_grid, (subject.native_shape, subject.native_affine), order=1)
    native: NDArray[np.bool_] = np.asarray(resampled.dataobj) >= HALF
    return native


def to_grid(labels: NDArray[np.generic], affine: NDArray[np.float64], subject: PreparedSubject) -> NDArray[np.bool_]:
    """Where labels (x, y, z) with their affine are above 0, on the patient's grid (D, H, W): the nearest voxel, as the
    patient's own labels are taken.

    Raises ValueError: the axes are turned against the scan's, or most of the tumour lies outside the scan.
    """
    volume, placed = turned(np.asarray(labels) > 0, affine)
    to_volume = np.linalg.inv(placed) @ subject.affine  # grid (d, h, w) to the volume's (z, y, x)
    step = np.diag(to_volume)[:3]
    strayed = np.abs(to_volume[:3, :3] - np.diag(step)) @ np.asarray(subject.shape)
    if strayed.max() > TURNED_VOXELS:
        raise ValueError(
            f"its axes stray {strayed.max():.1f} voxels from those of the patient's scan: resample it onto the scan"
        )
    if (outside := _share_outside(volume, placed, subject)) > HALF:
        raise ValueError(f"{outside:.0%} of its tumour lies outside the patient's scan: it needs the scan's affine")
    depth, height, width = (to_volume[:3, 3] + TIE).tolist()
    along, down, across = step.tolist()
    mask: NDArray[np.bool_] = nearest(volume, Placement((depth, height, width), (along, down, across), subject.shape))
    return mask


def _share_outside(volume: NDArray[np.bool_], affine: NDArray[np.float64], subject: PreparedSubject) -> float:
    """The share of a mask's voxels whose middle is not in the patient's scan; 0 of an empty mask."""
    voxels = np.argwhere(volume)
    if not len(voxels):
        return 0.0
    to_scan = np.linalg.inv(subject.native_affine) @ affine
    places = voxels @ to_scan[:3, :3].T + to_scan[:3, 3]
    within = (places > -HALF - TIE) & (places < np.asarray(subject.native_shape) - HALF + TIE)
    return float(1 - within.all(axis=1).mean())


def write_native(labels: NDArray[np.uint8], subject: PreparedSubject, path: Path) -> None:
    """Write labels (x, y, z) as NIfTI with the scan's own affine, whole or not at all; `path` ends in .nii.gz."""
    image = nib.Nifti1Image(labels, subject.native_affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    nib.save(image, partial)
    partial.replace(path)
