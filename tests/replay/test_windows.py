"""Windows had back from boxes: on volumes made by hand, and on the two real patients whose scans are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from gliobench.cohort.read import find_cohort, load_subject
from gliobench.grid.frame import SliceFrame
from gliobench.replay.external import ExternalAnswer
from gliobench.replay.read import read_external
from gliobench.replay.targets import aimed_at
from gliobench.replay.text import subject_name
from gliobench.replay.windows import Window, find_windows, region_boxes
from gliobench.tasks.geometry import Box

SIDE = 8


def box(index: int, *edges: int) -> Box:
    return Box(SliceFrame("axial", index, (SIDE, SIDE), (1.0, 1.0)), *edges)


def region() -> np.ndarray:
    voxels = np.zeros((6, 20, 20), bool)
    voxels[2, 9:12, 6:9] = True
    voxels[3, 8:11, 7] = True
    return voxels


def test_the_one_window_in_which_all_boxes_fit_is_found() -> None:
    # Window of 8 x 8 from row 7 and column 4: rows 9 to 11 are 2 to 4, columns 6 to 8 are 2 to 4.
    boxes = [box(0, 2, 2, 4, 4), box(1, 1, 3, 3, 3), None]
    assert find_windows(boxes, region()) == [Window(2, 7, 4)]


def test_a_box_that_the_window_cuts_off_is_found_by_its_other_end() -> None:
    # From row 10 on: the first slice keeps rows 10 and 11 (0 and 1), the second row 10 alone.
    assert find_windows([box(0, 0, 2, 1, 4), box(1, 0, 3, 0, 3)], region()) == [Window(2, 10, 4)]


def test_boxes_of_another_region_fit_nowhere_and_none_say_nothing() -> None:
    assert find_windows([box(0, 2, 2, 4, 5), box(1, 1, 3, 3, 3)], region()) == []
    assert find_windows([None, None], region()) == []


def test_boxes_that_fit_in_two_places_are_found_in_both() -> None:
    twice = np.zeros((4, 20, 20), bool)
    twice[1, 5:7, 5:7] = twice[2, 5:7, 5:7] = True
    assert find_windows([box(0, 1, 1, 2, 2)], twice) == [Window(1, 4, 4), Window(2, 4, 4)]


def test_answers_are_aimed_at_another_region_in_the_same_window(tmp_path: Path) -> None:
    answers = [ExternalAnswer("a", "centre", "(1, 1)", tmp_path, 1, "axial", n, shape=(SIDE, SIDE)) for n in range(3)]
    aimed = aimed_at(answers, "centre", region(), Window(2, 7, 4))
    assert [one.truth for one in aimed] == [box(0, 2, 2, 4, 4), box(1, 1, 3, 3, 3), None]
    assert [one.text for one in aimed] == ["(1, 1)"] * 3


# Found by hand once, and kept: the study's window of 128 x 128 begins 10 rows and 5 columns into the brain's box of
# patient 216, which begins at row 58 and column 52; 21 and 8 into that of 275, at 46 and 50.
REAL = {"BraTS20_Training_216": (58 + 10, 52 + 5), "BraTS20_Training_275": (46 + 21, 50 + 8)}


@pytest.mark.realdata
def test_the_published_targets_are_label_1_and_not_the_tumour_that_the_prompts_ask_for(shared: Path) -> None:
    replication, cohort = shared / "replication", find_cohort(shared / "cohort_1mm")
    order = json.loads((replication / "patients.json").read_text())["test_in_study_order"]
    answers = read_external(replication / "centre" / "general", "centre").firsts
    targets = [np.load(replication / "targets" / f"test_seg_{name}.npz")["array"] for name in ("bbounds", "poly")]
    equal, boxes, on_core, points = 0, 0, 0, 0
    for subject in cohort.subjects:
        if subject.id not in REAL:
            continue
        labels = np.asarray(load_subject(subject, cohort.labels).labels).T
        number = order.index(subject.id)
        own = answers[subject_name(number)]
        truths = [answer.truth if isinstance(answer.truth, Box) else None for answer in own]
        (window,) = find_windows(truths, labels == 1)
        assert (window.row, window.column) == REAL[subject.id]
        for other in (labels > 0, labels == 2, labels == 4):
            assert find_windows(truths, other) == []
        whole = aimed_at(own, "centre", labels > 0, window)
        assert all(one.truth != truth for one, truth in zip(whole, truths, strict=True) if truth is not None)
        # The study keeps the scan's slices 30 to 124, and its targets are counted from there.
        core = Window(30, window.row, window.column).cut(labels == 1, 95, (128, 128))
        for pixels, found, target, outline in zip(
            core, region_boxes(core), *(one[number] for one in targets), strict=True
        ):
            boxes += int(target[0] != -1)
            equal += int(target[0] != -1 and found == tuple(target))
            real = outline[outline[:, 0] >= 0]
            points += len(real)
            on_core += int(pixels[real[:, 0], real[:, 1]].sum())
    assert (equal, boxes) == (70, 70)
    assert (on_core, points) == (690, 690)
