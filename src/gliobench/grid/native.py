"""From the grid back to the patient's own scan: masks that open in any viewer over the original images."""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from gliobench.grid.prepared import PreparedSubject

HALF = 0.5


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


def write_native(labels: NDArray[np.uint8], subject: PreparedSubject, path: Path) -> None:
    """Write labels (x, y, z) as NIfTI with the scan's own affine, whole or not at all; `path` ends in .nii.gz."""
    image = nib.Nifti1Image(labels, subject.native_affine)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    nib.save(image, partial)
    partial.replace(path)
