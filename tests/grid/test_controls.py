"""Changed images: what is in them, what stays the patient's, and that each has a content of its own."""

from dataclasses import replace

import numpy as np
import pytest

from gliobench.grid.controls import CONTROLS
from gliobench.grid.frame import take_slice
from gliobench.grid.prepared import PreparedSubject

SHAPE = (4, 5, 6)


def patient(id: str = "A", grade: int | None = 1, grey: int = 100, person: str = "") -> PreparedSubject:
    """A body of one grey with a target of 200 in it, a voxel of background, and one brighter voxel."""
    image = np.full((4, *SHAPE), grey, np.uint8)
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2, 0:2] = (1, 2)
    image[:, 1, 2, 0:2] = 200
    image[:, 3, 4, 5], image[:, 0, 0, 0] = 0, 250
    return PreparedSubject(
        id, grade, image, labels, np.eye(4), np.eye(4), SHAPE, False, f"content of {id}", patient=person
    )


def test_blank_is_background_everywhere_and_the_truth_stays() -> None:
    subject = patient()
    blank = CONTROLS["blank"].alter(subject, [])
    assert blank is not None
    assert (blank.image.shape, blank.image.max()) == (subject.image.shape, 0)
    assert (blank.labels is subject.labels, blank.id, blank.variables) == (True, "A", subject.variables)


def test_flipped_moves_truth_and_image_to_the_other_side() -> None:
    subject = patient()
    flipped = CONTROLS["flipped"].alter(subject, [])
    assert flipped is not None
    assert flipped.labels is not None
    assert flipped.labels[1, 2].tolist() == [0, 0, 0, 0, 2, 1], "the first columns are now the last"
    assert flipped.image[0, 0, 0].tolist() == [100, 100, 100, 100, 100, 250]


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_slice_of_a_mirror_image_shows_the_same_tissue(plane: str) -> None:
    subject, control = patient(), CONTROLS["flipped"]
    flipped = control.alter(subject, [])
    assert flipped is not None
    size = SHAPE[{"axial": 0, "coronal": 1, "sagittal": 2}[plane]]
    for index in range(size):
        own = take_slice(subject.image[0], plane, index)  # type: ignore[arg-type]
        shown = take_slice(flipped.image[0], plane, control.index(plane, index, size))  # type: ignore[arg-type]
        assert np.array_equal(shown, own if plane == "sagittal" else own[:, ::-1])


def test_filled_has_the_median_of_the_body_where_the_target_was() -> None:
    subject = patient()
    filled = CONTROLS["filled"].alter(subject, [])
    assert filled is not None
    assert filled.image[:, 1, 2, 0:2].tolist() == [[100, 100]] * 4
    changed = filled.image != subject.image
    assert changed.sum() == 2 * 4, "nothing else is another"


def test_nothing_can_be_filled_without_a_mask_or_without_a_body_around_it() -> None:
    subject = patient()
    assert CONTROLS["filled"].alter(replace(subject, labels=None), []) is None
    assert CONTROLS["filled"].alter(replace(subject, labels=np.ones(SHAPE, np.uint8)), []) is None


def test_another_image_is_one_of_another_class_and_never_the_patients_own() -> None:
    subject, alike, unlike = patient(), patient("B", 1, 50), patient("C", 0, 60)
    control = CONTROLS["other"]
    other = control.alter(subject, [alike, unlike])
    assert other is not None
    assert (other.image is unlike.image, other.labels is subject.labels, other.grade) == (True, True, 1)
    same = control.alter(subject, [alike])
    assert same is not None
    assert same.image is alike.image, "of the same class where there is no other"
    assert control.alter(subject, []) is None
    assert control.alter(replace(subject, patient="P"), [patient("D", 0, 70, person="P")]) is None, "another scan"


def test_every_changed_image_has_a_content_of_its_own() -> None:
    subject, others = patient(), [patient("B", 0)]
    altered = [control.alter(subject, others) for control in CONTROLS.values()]
    contents = {one.content for one in altered if one is not None}
    assert len(contents | {subject.content}) == len(CONTROLS) + 1
    elsewhere = CONTROLS["other"].alter(subject, [patient("C", 0)])
    assert elsewhere is not None
    assert elsewhere.content not in contents, "of another donor"
