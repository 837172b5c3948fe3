"""Raw answers laid on a patient's grid by the truth that stands beside them; slices counted by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.replay.external import Place
from gliobench.replay.placed import placed
from gliobench.replay.read import read_external

ID = "BraTS20_Training_322"  # the study's test patient 0
CORE_ROWS = {31: (40, 50), 32: (41, 52), 33: (42, 50)}  # by slice, the first and the last row of label 1
CORNERS = "[({0}, 60), ({0}, 70), ({1}, 70), ({1}, 60)]"


def patient(end: int = 50) -> PreparedSubject:
    """Oedema in the slices 5 to `end`, label 1 in three of them."""
    labels = np.zeros((95, 128, 128), np.uint8)
    labels[5 : end + 1, 30:60, 50:80] = 2
    for index, (first, last) in CORE_ROWS.items():
        labels[index, first : last + 1, 60:71] = 1
    image = np.ones((4, 95, 128, 128), np.uint8)
    return PreparedSubject(ID, 1, image, labels, np.eye(4), np.eye(4), (128, 128, 95), False, "c")


def written(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    (folder / "patient_0.txt").write_text("\n".join(lines))
    return folder


def slices(folder: Path, task: str, subject: PreparedSubject) -> tuple[list[int], tuple[str, ...]]:
    found = placed(read_external(folder, task), {ID: subject})
    assert {place.subject for place in found.answers} <= {ID}
    assert all(place == Place(ID, task, "axial", place.index) for place in found.answers)
    return [place.index for place in found.answers if place.index is not None], found.remarks


def test_boxes_and_centres_begin_where_their_truth_is_label_1(tmp_path: Path) -> None:
    boxes = [CORNERS.format(*CORE_ROWS[index]) for index in (32, 33)]
    box = written(tmp_path / "box", *(f"Ground truth: {one} || Model output: (1, 1)" for one in boxes))
    centre = written(
        tmp_path / "centre",
        *(f"Ground truth centre: [(45, 65)] || Ground truth bbox: {one} || Model output: (1, 1)" for one in boxes),
    )
    assert slices(box, "box", patient()) == ([32, 33], ())
    assert slices(centre, "centre", patient()) == ([32, 33], ())


def test_a_box_that_is_not_label_1_or_is_it_twice_is_left_out_and_said(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", f"Ground truth: {CORNERS.format(30, 59)} || Model output: (1, 1)")
    found, (remark,) = slices(whole, "box", patient())
    assert found == []
    assert ID in remark
    assert "do not have the patient's truth" in remark
    twice = patient()
    assert twice.labels is not None
    twice.labels[33] = twice.labels[31]
    either = written(tmp_path / "either", f"Ground truth: {CORNERS.format(40, 50)} || Model output: (1, 1)")
    assert slices(either, "box", patient()) == ([31], ())
    found, (remark,) = slices(either, "box", twice)
    assert found == []
    assert "fit in several places" in remark


def test_polygons_begin_where_all_corners_lie_on_label_1(tmp_path: Path) -> None:
    # Row 51 and 52 are label 1 in slice 32 only, row 40 in slice 31 only.
    lines = [
        "Ground truth: [(40, 60), (50, 65), (45, 70)] || Model output: none",
        "Ground truth: [(41, 60), (52, 65), (45, 70)] || Model output: none",
    ]
    assert slices(written(tmp_path / "polygon", *lines), "polygon", patient()) == ([31, 32], ())
    assert slices(written(tmp_path / "turned", *reversed(lines)), "polygon", patient())[0] == []


def test_grades_are_of_the_whole_tumours_slices_or_of_those_without_20_at_either_end(tmp_path: Path) -> None:
    numbered = [f"Slice #{index} => Choice: 1" for index in range(5, 51)]
    general = written(tmp_path / "general", *numbered, "True Label: HGG || Prediction Label: HGG")
    assert slices(general, "grade", patient())[0] == list(range(5, 51))
    assert slices(general, "grade", patient(end=51))[0] == []
    # 46 slices of tumour, from 25 to 30 without 20 at either end.
    tuned = written(tmp_path / "tuned", *["Ground truth: 1 || Model output: Choice: 1"] * 6)
    assert slices(tuned, "grade", patient())[0] == list(range(25, 31))
    assert slices(tuned, "grade", patient(end=51))[0] == []


@pytest.mark.parametrize("grade", [0, None])
def test_answers_about_a_patient_of_another_grade_are_left_out(tmp_path: Path, grade: int | None) -> None:
    tuned = written(tmp_path / "tuned", *["Ground truth: 1 || Model output: Choice: 1"] * 6)
    found, remarks = slices(tuned, "grade", replace(patient(), grade=grade))
    assert found == []
    assert len(remarks) == 1
