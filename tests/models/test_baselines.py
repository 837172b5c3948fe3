"""Each trivial baseline does exactly what its name says."""

from dataclasses import replace

import numpy as np
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.baselines import BASELINES
from gliobench.models.baselines.bright_blob import QUANTILES
from gliobench.records.record import question_key
from gliobench.tasks.answer import Answered
from gliobench.tasks.chain import to_mask
from gliobench.tasks.geometry import Box, Grade, Point, Polygon, Value, VolumeMask

AFFINE = np.diag([2.0, 1.0, 1.0, 1.0])


def patient(id: str, grade: int | None, rows: slice, columns: slice) -> PreparedSubject:
    """A (6, 20, 20) brain of grey 100 with a FLAIR-bright block on the slices 2 to 4."""
    image = np.full((4, 6, 20, 20), 100, np.uint8)
    labels = np.zeros((6, 20, 20), np.uint8)
    labels[2:5, rows, columns] = 2
    image[0][labels > 0] = 250
    return PreparedSubject(id, grade, image, labels, AFFINE, AFFINE, (20, 20, 6), False, id)


TRAIN = [
    patient("A", 1, slice(2, 10), slice(4, 10)),
    patient("B", 1, slice(4, 12), slice(6, 16)),
    patient("C", 0, slice(6, 14), slice(8, 14)),
]


def ask(name: str, task: str, plane: str = "axial") -> tuple[Value, float | None]:
    model = BASELINES[name](TRAIN, "axial")
    subject = patient("T", 0, slice(8, 16), slice(3, 9))
    frame = subject.frame("axial", 3) if model.per_slice else None
    (prediction,) = model.predict([Question(subject, task, frame)])
    assert isinstance(prediction.answer, Answered)
    return prediction.answer.value, prediction.score


def test_majority_grade_is_the_commoner_one_with_its_share_as_score() -> None:
    assert ask("majority-grade", "grade") == (Grade(1), pytest.approx(2 / 3))


def test_image_centre_is_between_the_middle_pixels() -> None:
    value, _ = ask("image-centre", "centre")
    assert isinstance(value, Point)
    assert (value.row, value.column) == (9.5, 9.5)


def test_the_whole_slice_is_a_box_and_a_polygon_around_all_pixels() -> None:
    box, _ = ask("whole-slice", "box")
    polygon, _ = ask("whole-slice", "polygon")
    assert isinstance(box, Box)
    assert isinstance(polygon, Polygon)
    assert (box.row_min, box.column_min, box.row_max, box.column_max) == (0, 0, 19, 19)
    assert np.count_nonzero(to_mask(polygon).pixels) == 20 * 20


def test_mean_box_is_the_mean_of_the_training_edges() -> None:
    value, _ = ask("mean-box", "box")
    assert isinstance(value, Box)
    # rows 2-9, 4-11, 6-13; columns 4-9, 6-15, 8-13
    edges = (value.row_min, value.column_min, value.row_max, value.column_max)
    assert edges == pytest.approx((4, 6, 11, 37 / 3))


def test_mean_box_passes_over_slices_between_two_lesions() -> None:
    gap = TRAIN[0].labels.copy()  # type: ignore[union-attr]
    gap[gap.shape[0] // 2] = 0
    parted = replace(TRAIN[0], labels=gap)
    assert BASELINES["mean-box"]([parted], "axial").settings == BASELINES["mean-box"]([TRAIN[0]], "axial").settings


def test_flair_blob_finds_the_bright_block() -> None:
    value, _ = ask("flair-blob", "mask")
    assert isinstance(value, VolumeMask)
    truth = patient("T", 0, slice(8, 16), slice(3, 9)).tumour
    dice = 2 * (value.voxels & truth).sum() / (value.voxels.sum() + truth.sum())
    assert dice > 0.85


def test_flair_blob_states_the_quantile_it_learnt() -> None:
    assert BASELINES["flair-blob"](TRAIN, "axial").settings["quantile"] in QUANTILES


def test_empty_marks_nothing() -> None:
    value, _ = ask("empty", "mask")
    assert isinstance(value, VolumeMask)
    assert not value.voxels.any()


@pytest.mark.parametrize("name", ["mean-box", "flair-blob"])
def test_without_any_mask_to_learn_from_the_baseline_says_so(name: str) -> None:
    with pytest.raises(ModelError, match=name):
        BASELINES[name]([replace(subject, labels=None) for subject in TRAIN], "axial")


def from_site(id: str, grade: int | None, site: str | None) -> PreparedSubject:
    return replace(patient(id, grade, slice(2, 10), slice(4, 10)), variables={"source": site} if site else {})


def test_the_source_alone_gives_its_own_proportions() -> None:
    train = [
        from_site("A", 1, "Oslo"),
        from_site("B", 1, "Oslo"),
        from_site("C", 1, "Rome"),
        from_site("D", 0, "Lyon"),
        from_site("E", None, "Oslo"),
        from_site("F", 0, None),
    ]  # 3 of 5 with a grade are 1, so p = (own + 0.6) / (n + 1)
    model = BASELINES["source"](train, "axial")
    asked = [from_site(site or "T", None, site) for site in ("Oslo", "Rome", "Lyon", "Bonn", None)]
    found = list(model.predict([Question(one, "grade", None) for one in asked]))
    assert [one.score for one in found] == pytest.approx([2.6 / 3, 1.6 / 2, 0.6 / 2, 0.6, 0.6])
    assert [one.answer for one in found] == [Answered(Grade(number)) for number in (1, 1, 0, 1, 1)]


def test_another_source_of_a_patient_is_another_question() -> None:
    model = BASELINES["source"]([from_site("A", 1, "Oslo")], "axial")
    questions = [Question(from_site("T", None, site), "grade", None) for site in ("Oslo", "Rome")]
    keys = {question_key(model.name, model.settings, question) for question in questions}
    assert len(keys) == 2


def test_the_source_needs_training_patients_with_one() -> None:
    with pytest.raises(ModelError, match="the source of no patient is known"):
        BASELINES["source"]([from_site("A", 1, None)], "axial")
