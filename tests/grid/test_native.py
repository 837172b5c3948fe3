"""A mask of the grid comes back to the voxels that it was taken from, whatever way round the file lies."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from gliobench.cohort.read import find_cohort, load_subject
from gliobench.cohort.subject import RawSubject
from gliobench.grid.native import to_native, write_native
from gliobench.grid.prepare import prepare_subject
from gliobench.grid.recipe import Recipe


def raw(affine: np.ndarray) -> RawSubject:
    """A brain with a tumour in one corner of it, so that a turned or mirrored mask shows."""
    shape = (40, 48, 30)
    images = np.zeros((4, *shape), np.float32)
    images[:, 4:36, 5:43, 3:27] = np.random.default_rng(0).uniform(50, 100, (4, 32, 38, 24))
    labels = np.zeros(shape, np.uint8)
    labels[8:14, 10:22, 18:24] = 1
    return RawSubject("P1", 1, images, labels, affine, "content")


@pytest.mark.parametrize(
    "axes",
    [np.diag([-1.0, -1, 1, 1]), np.diag([1.0, 1, 1, 1]), np.diag([1.0, -1, 2, 1])],
    ids=["LPS", "RAS", "RPS 2 mm"],
)
def test_the_truth_comes_back_to_its_own_voxels(axes: np.ndarray) -> None:
    source = raw(axes)
    subject = prepare_subject(source, Recipe("brain", (64, 80, 64)))
    assert source.labels is not None
    back, truth = to_native(subject.tumour, subject), np.asarray(source.labels) > 0
    assert back.shape == truth.shape
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > 0.9


def test_the_file_has_the_scans_affine(tmp_path: Path) -> None:
    affine = np.diag([-1.0, -1, 1, 1])
    affine[:3, 3] = (10, 20, -30)
    subject = prepare_subject(raw(affine), Recipe("brain", (32, 40, 32)))
    write_native(to_native(subject.tumour, subject).astype(np.uint8), subject, tmp_path / "P1.nii.gz")
    image = nib.load(tmp_path / "P1.nii.gz")
    assert np.allclose(image.affine, affine)
    assert image.shape == (40, 48, 30)
    assert set(np.unique(np.asarray(image.dataobj))) == {0, 1}


def test_a_mask_of_another_grid_is_refused() -> None:
    subject = prepare_subject(raw(np.eye(4)), Recipe("brain", (32, 40, 32)))
    with pytest.raises(ValueError, match=r"P1: .*\(3, 3, 3\)"):
        to_native(np.ones((3, 3, 3), bool), subject)


@pytest.mark.realdata
def test_a_real_truth_comes_back(shared: Path) -> None:
    cohort = find_cohort(shared / "cohort_1mm")
    source = load_subject(cohort.subjects[0], cohort.labels)
    subject = prepare_subject(source, Recipe("brain", (95, 128, 128)))
    back, truth = to_native(subject.tumour, subject), np.asarray(source.labels) > 0
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > 0.94  # from 1 mm to 1.4 mm and back
    shift = np.argwhere(back).mean(axis=0) - np.argwhere(truth).mean(axis=0)
    assert np.abs(shift).max() < 0.25  # voxels: half a voxel of either grid would be a mistaken convention
