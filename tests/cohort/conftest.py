"""Tiny patients on disk, in whatever layout a test needs."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

SHAPE = (5, 4, 3)
AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
MODALITIES = ("flair", "t1", "t1ce", "t2")

Write = Callable[..., Path]


def save(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine), path)
    return path


@pytest.fixture
def write_patient() -> Write:
    """Write `<folder>/<id>/<id><ending>.nii.gz` for four modalities and a mask with the given labels."""

    def write(
        folder: Path,
        id: str,
        endings: tuple[str, ...] = ("_flair", "_t1", "_t1ce", "_t2"),
        mask: str | None = "_seg",
        labels: tuple[int, ...] = (1, 2, 4),
        suffix: str = ".nii.gz",
    ) -> Path:
        random = np.random.default_rng(list(id.encode()))
        for ending in endings:
            save(folder / id / f"{id}{ending}{suffix}", random.integers(0, 500, SHAPE, dtype=np.int16))
        if mask is not None:
            segmentation = np.zeros(SHAPE, np.uint8)
            segmentation.flat[: len(labels)] = labels
            save(folder / id / f"{id}{mask}{suffix}", segmentation)
        return folder / id

    return write
