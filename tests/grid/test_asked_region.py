"""A patient who is asked about one region of the tumour: on a mask made by hand in which the regions differ."""

import dataclasses

import numpy as np
import pytest

from gliobench.cohort.label_schemes import UNDIVIDED
from gliobench.grid.crop import crop_around, with_mask
from gliobench.grid.prepared import PreparedSubject, asked_about, untold
from gliobench.grid.regions import BRATS_REGIONS, WHOLE, Region, region_of_label
from gliobench.grid.slices import select_slices

CORE, ENHANCING = BRATS_REGIONS["core"], BRATS_REGIONS["enhancing"]
NECROTIC = region_of_label(1, "the necrotic core")


def subject(labels: np.ndarray | None) -> PreparedSubject:
    image = np.ones((4, 6, 8, 8), np.uint8)
    return PreparedSubject("p", 1, image, labels, np.eye(4), np.eye(4), (8, 8, 6), False, "content")


def patient() -> PreparedSubject:
    """Oedema in slices 1 to 4, rows and columns 1 to 6; necrosis in slice 2 and enhancement in slice 3 inside it."""
    labels = np.zeros((6, 8, 8), np.uint8)
    labels[1:5, 1:7, 1:7] = 2
    labels[2, 2:4, 3:6] = 1
    labels[3, 4, 4] = 4
    return subject(labels)


@pytest.mark.parametrize(
    ("region", "voxels", "slices"),
    [(WHOLE, 144, [1, 2, 3, 4]), (CORE, 7, [2, 3]), (ENHANCING, 1, [3]), (NECROTIC, 6, [2])],
)
def test_the_region_is_the_truth_and_says_where_the_slices_are(region: Region, voxels: int, slices: list[int]) -> None:
    asked = asked_about(patient(), region)
    assert asked.tumour.sum() == voxels
    assert select_slices(asked, "axial", "oracle") == slices
    assert asked.part("whole").sum() == voxels
    assert [asked.part(name).sum() for name in ("core", "enhancing")] == [7, 1]


def test_every_region_has_a_content_of_its_own_and_the_whole_tumour_the_one_it_had() -> None:
    assert asked_about(patient(), WHOLE).content == "content"
    contents = [asked_about(patient(), region).content for region in (WHOLE, CORE, ENHANCING, NECROTIC)]
    assert len(set(contents)) == 4
    assert asked_about(patient(), region_of_label(1, "something else")).content == contents[3]  # the truth is the same


def test_a_crop_is_asked_about_the_same_region_and_a_models_mask_is_all_that_is_asked_about() -> None:
    asked = asked_about(patient(), region_of_label(2, "oedema"))
    assert asked.tumour.sum() == 137
    assert crop_around(asked, asked.tumour, (2, 4, 4)).region == asked.region
    mask = np.zeros((6, 8, 8), bool)
    mask[0, 0, :3] = True
    assert np.array_equal(with_mask(asked, mask).tumour, mask)


def test_masks_that_cannot_tell_a_region_say_why() -> None:
    binary = np.minimum(patient().labels, 1)
    assert binary is not None
    assert untold([subject(binary)], CORE) is not None
    assert untold([subject(binary)], NECROTIC) is not None
    assert untold([subject(binary)], ENHANCING) == "no mask has it"
    assert untold([subject(binary)], region_of_label(3, "enhancing tumour")) == "no mask has it"
    assert untold([subject(binary)], WHOLE) is None
    assert untold([subject(binary), subject(None), patient()], CORE) is None
    assert untold([subject(None), subject(np.zeros((6, 8, 8), np.uint8))], CORE) is None  # nothing to tell


def test_a_mask_of_the_whole_tumour_alone_has_no_parts() -> None:
    whole = subject(np.where(patient().tumour, UNDIVIDED, 0).astype(np.uint8))
    assert (patient().divided, whole.divided) == (True, False)
    assert np.array_equal(whole.part("whole"), patient().tumour)
    assert untold([whole], CORE) == untold([whole], ENHANCING) == "no mask has it"
    with pytest.raises(ValueError, match="and not the core"):
        whole.part("core")


def test_without_a_mask_there_is_no_region_either() -> None:
    bare = dataclasses.replace(asked_about(patient(), CORE), labels=None)
    with pytest.raises(ValueError, match="p "):
        bare.part("core")
    with pytest.raises(ValueError, match="p "):
        bare.tumour  # noqa: B018
