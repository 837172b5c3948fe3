"""A box around a tumour holds the grid's own voxels, and says where they lie."""

from dataclasses import replace

import numpy as np
import pytest

from gliobench.grid.crop import crop_around, with_mask
from gliobench.grid.prepared import PreparedSubject

SHAPE = (6, 8, 10)
AFFINE = np.array([[0, 0, -0.5, 30], [0, -1.0, 0, -20], [2.0, 0, 0, 10], [0, 0, 0, 1]])


def patient() -> PreparedSubject:
    image = np.arange(4 * np.prod(SHAPE)).reshape(4, *SHAPE) % 251
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:4, 1:3, 6:9] = 4
    return PreparedSubject("A", 1, image.astype(np.uint8), labels, AFFINE, AFFINE, (10, 8, 6), False, "content")


def test_the_middle_of_the_box_is_the_middle_of_the_masks_box() -> None:
    subject = patient()
    crop = crop_around(subject, subject.tumour, (2, 4, 3))
    assert np.array_equal(crop.image, subject.image[:, 2:4, 0:4, 6:9])
    assert crop.labels is not None
    assert crop.labels.sum() == 4 * 2 * 2 * 3
    # The same voxel is at the same place in the world: (0, 0, 0) of the crop is (2, 0, 6) of the grid.
    assert crop.affine @ (0, 0, 0, 1) == pytest.approx(AFFINE @ (2, 0, 6, 1))
    assert crop.spacing_mm == subject.spacing_mm


def test_beyond_the_grid_there_is_nothing() -> None:
    subject = patient()
    crop = crop_around(subject, subject.tumour, (10, 8, 8))
    assert crop.shape == (10, 8, 8)
    # The mask's box is [2, 4) x [1, 3) x [6, 9): the crop starts at -2, -2 and 3, and the grid ends after 6, 8 and 10.
    assert np.array_equal(crop.image[:, 2:8, 2:, :7], subject.image[:, :, :6, 3:])
    assert crop.image.astype(int).sum() == subject.image[:, :, :6, 3:].astype(int).sum()


def test_an_empty_mask_takes_the_middle_of_the_grid() -> None:
    subject = patient()
    crop = crop_around(replace(subject, labels=None), np.zeros(SHAPE, bool), (2, 2, 2))
    assert np.array_equal(crop.image, subject.image[:, 2:4, 3:5, 4:6])
    assert crop.labels is None


def test_another_mask_is_another_patient_to_the_records() -> None:
    subject, found = patient(), np.zeros(SHAPE, bool)
    found[0, 0, 0] = True
    masked = with_mask(subject, found)
    assert np.array_equal(masked.tumour, found)
    contents = {subject.content, masked.content, crop_around(subject, found, (2, 2, 2)).content}
    contents |= {crop_around(subject, subject.tumour, shape).content for shape in ((2, 2, 2), (2, 2, 4))}
    assert len(contents) == 5
