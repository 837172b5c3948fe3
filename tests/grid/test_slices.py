"""Which slices are chosen, and that a slice looks as the volume does."""

import numpy as np
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice, select_slices


@pytest.fixture
def prepared() -> PreparedSubject:
    """Brain in slices 2 to 17 and, of tumour, 1 pixel in slice 4, 9 in 6 to 8, none in 9, 4 in 10."""
    image = np.zeros((4, 20, 16, 12), np.uint8)
    image[:, 2:18, 3:12, 2:10] = np.random.default_rng(0).integers(1, 256, (4, 16, 9, 8))
    image[:, 19, 0, 0] = 9  # one pixel in 192 is less than a hundredth
    labels = np.zeros((20, 16, 12), np.uint8)
    labels[4, 5, 5] = 1
    labels[6:9, 4:7, 4:7] = 2
    labels[10, 5:7, 5:7] = 4
    return PreparedSubject("p", 1, image, labels, np.eye(4), np.eye(4), (12, 16, 20), False, "")


def test_oracle_goes_from_the_first_tumour_slice_to_the_last(prepared: PreparedSubject) -> None:
    assert select_slices(prepared, "axial", "oracle") == [4, 5, 6, 7, 8, 9, 10]
    assert select_slices(prepared, "axial", "oracle", min_area_px=2) == [6, 7, 8, 9, 10]
    assert select_slices(prepared, "axial", "oracle", min_area_px=5, every=2) == [6, 8]
    assert select_slices(prepared, "coronal", "oracle") == [4, 5, 6]
    assert select_slices(prepared, "sagittal", "oracle", min_area_px=3) == [4, 5, 6]
    assert select_slices(prepared, "axial", "oracle", min_area_px=10) == []


def test_trim_leaves_out_the_ends_of_the_range(prepared: PreparedSubject) -> None:
    """The reference study: begin+20 to end-20, nothing of 40 slices or fewer. Here of 6 to 10."""
    assert select_slices(prepared, "axial", "oracle", min_area_px=2, trim=1) == [7, 8, 9]
    assert select_slices(prepared, "axial", "oracle", min_area_px=2, trim=1, every=2) == [7, 9]
    assert select_slices(prepared, "axial", "oracle", min_area_px=2, trim=2) == [8]
    assert select_slices(prepared, "axial", "oracle", min_area_px=2, trim=3) == []


def test_brain_takes_slices_of_which_a_hundredth_is_brain(prepared: PreparedSubject) -> None:
    assert select_slices(prepared, "axial", "brain") == list(range(2, 18))
    assert select_slices(prepared, "sagittal", "brain", every=3) == [2, 5, 8]


def test_predicted_goes_by_the_mask_that_is_given(prepared: PreparedSubject) -> None:
    predicted = np.zeros(prepared.shape, bool)
    predicted[12:14, 3, 3] = True
    assert select_slices(prepared, "axial", "predicted", predicted=predicted) == [12, 13]
    with pytest.raises(ValueError, match="p: "):
        select_slices(prepared, "axial", "predicted")
    with pytest.raises(ValueError, match=r"\(2, 16, 12\).* \(20, 16, 12\)"):
        select_slices(prepared, "axial", "predicted", predicted=predicted[:2])


def test_oracle_without_a_mask_names_the_patient(prepared: PreparedSubject) -> None:
    bare = PreparedSubject("q", 1, prepared.image, None, np.eye(4), np.eye(4), (12, 16, 20), False, "")
    with pytest.raises(ValueError, match="q "):
        select_slices(bare, "axial", "oracle")


def test_a_grey_slice_is_the_modality_with_superior_on_top(prepared: PreparedSubject) -> None:
    coronal = grey_slice(prepared, "t1ce", "coronal", 5)
    assert np.array_equal(coronal, prepared.image[2, ::-1, 5, :])
    assert coronal.dtype == np.uint8
    assert coronal.flags["C_CONTIGUOUS"]
    with pytest.raises(ValueError, match=r"'t9'.*flair, t1, t1ce, t2"):
        grey_slice(prepared, "t9", "axial", 5)
    with pytest.raises(IndexError, match="axial slice -1"):
        grey_slice(prepared, "t1", "axial", -1)
