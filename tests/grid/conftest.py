"""Patients built by hand: a brain of known place in a scan of any orientation."""

from collections.abc import Callable

import nibabel as nib
import numpy as np
import pytest

from gliobench.cohort.subject import RawSubject

MakeRaw = Callable[..., RawSubject]


def affine_of(axcodes: str, spacing_mm: tuple[float, float, float], shape: tuple[int, int, int]) -> np.ndarray:
    """The affine of a scan whose voxel (0, 0, 0) lies at (10, -20, 30) mm and whose axes point along `axcodes`."""
    directions = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (code, spacing) in enumerate(zip(axcodes, spacing_mm, strict=True)):
        world, sign = directions[code]
        affine[world, axis] = sign * spacing
    affine[:3, 3] = (10, -20, 30)
    assert nib.aff2axcodes(affine) == tuple(axcodes)
    return affine


@pytest.fixture
def make_raw() -> MakeRaw:
    """A scan with a box of brain (values 100 to 200) and, inside it, a box of tumour with label 1."""

    def make(
        axcodes: str = "LPS",
        spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
        shape: tuple[int, int, int] = (40, 48, 36),
        brain: tuple[slice, slice, slice] = (slice(8, 30), slice(6, 41), slice(5, 29)),
        tumour: tuple[slice, slice, slice] | None = (slice(12, 20), slice(10, 22), slice(9, 18)),
        grade: int | None = 1,
        id: str = "made-by-hand",
    ) -> RawSubject:
        random = np.random.default_rng(1)
        images = np.zeros((4, *shape), np.int16)
        images[:, *brain] = random.integers(100, 201, images[:, *brain].shape)
        labels = None
        if tumour is not None:
            labels = np.zeros(shape, np.uint8)
            labels[tumour] = 1
        affine = affine_of(axcodes, spacing_mm, shape)
        return RawSubject(id, grade, images, labels, affine, f"{axcodes}{spacing_mm}{shape}{brain}{tumour}")

    return make
