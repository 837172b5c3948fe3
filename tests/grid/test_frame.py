"""Slices out of a volume, back into it, and where a pixel lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliobench.grid.frame import INDEX_AXIS, PLANES, Plane, put_slice, slice_frame, take_slice, to_voxel

sizes = st.tuples(*[st.integers(1, 9)] * 3)
planes = st.sampled_from(PLANES)


@given(shape=sizes, plane=planes, data=st.data())
def test_a_pixel_of_a_slice_is_the_voxel_that_to_voxel_names(
    shape: tuple[int, int, int], plane: Plane, data: st.DataObject
) -> None:
    volume = np.arange(np.prod(shape)).reshape(shape)
    index = data.draw(st.integers(0, shape[INDEX_AXIS[plane]] - 1))
    image = take_slice(volume, plane, index)
    frame = slice_frame(plane, index, shape, (1.0, 2.0, 3.0))
    assert frame.shape == image.shape
    row, column = (data.draw(st.integers(0, size - 1)) for size in image.shape)
    assert volume[to_voxel(frame, row, column)] == image[row, column]


@given(shape=sizes, plane=planes, data=st.data())
def test_putting_a_taken_slice_changes_that_slice_only(
    shape: tuple[int, int, int], plane: Plane, data: st.DataObject
) -> None:
    source = np.arange(1, np.prod(shape) + 1).reshape(shape)
    index = data.draw(st.integers(0, shape[INDEX_AXIS[plane]] - 1))
    target = np.zeros(shape, source.dtype)
    put_slice(target, plane, index, take_slice(source, plane, index).copy())
    expected = np.zeros_like(source)
    where = [slice(None)] * 3
    where[INDEX_AXIS[plane]] = index
    expected[tuple(where)] = source[tuple(where)]
    assert np.array_equal(target, expected)


def test_superior_is_on_top_of_coronal_and_sagittal_and_anterior_of_axial() -> None:
    volume = np.zeros((4, 5, 6))
    volume[3] = 1  # the most superior slice
    assert take_slice(volume, "coronal", 2)[0].all()
    assert take_slice(volume, "sagittal", 2)[0].all()
    volume = np.zeros((4, 5, 6))
    volume[:, 0] = 1  # the most anterior
    assert take_slice(volume, "axial", 2)[0].all()
    assert take_slice(volume, "sagittal", 2)[:, 0].all()


def test_spacing_and_shape_follow_rows_and_columns() -> None:
    frame = slice_frame("sagittal", 0, (4, 5, 6), (1.0, 2.0, 3.0))
    assert (frame.shape, frame.spacing_mm) == ((4, 5), (1.0, 2.0))
    assert slice_frame("axial", 0, (4, 4, 5), (9.0, 1.0, 1.0)).diagonal_mm == 5.0  # 3 down, 4 across


@pytest.mark.parametrize("index", [-1, 5])
def test_a_slice_that_is_not_there_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"coronal slice {index} .* 5 "):
        slice_frame("coronal", index, (4, 5, 6), (1.0, 1.0, 1.0))
