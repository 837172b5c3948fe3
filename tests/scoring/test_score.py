"""Whole patients, scored by hand on a small grid."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from gliobench.cohort.label_schemes import UNDIVIDED
from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.intervals import AGRESTI_COULL, Bootstrap
from gliobench.scoring.score import Item, SubjectScores, score_subject
from gliobench.scoring.summary import PER_SUBJECT, SUMMARY, Scores, summarise, votes_columns
from gliobench.tasks.answer import Answered, Malformed, Missing
from gliobench.tasks.chain import coarser
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, VolumeMask
from gliobench.tasks.registry import TASKS

SPACING = (2.0, 1.0, 0.5)
SHAPE = (6, 20, 24)
SLICES = {"axial": [2, 3]}
UNANSWERED = Malformed("no number in it")


def make_subject(id: str = "A", grade: int | None = 1) -> PreparedSubject:
    """The tumour fills rows 5 to 14 and columns 8 to 17 of the axial slices 2 and 3: 200 voxels."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[2:4, 5:15, 8:18] = 2
    image = np.zeros((4, *SHAPE), dtype=np.uint8)
    affine = np.diag([*SPACING, 1.0])
    return PreparedSubject(id, grade, image, labels, affine, affine, SHAPE, False, id)


def figures(scores: SubjectScores, task: str, source: str, plane: str) -> dict[str, float]:
    return {
        row.metric: row.value
        for row in scores.rows
        if (row.task, row.source, row.plane) == (task, source, plane) and row.model == "m"
    }


def counts(scores: SubjectScores) -> set[tuple[str, str, int, int]]:
    """Task, plane and questions of all metrics but those that are for patients or slices without a tumour alone."""
    return {
        (row.task, row.plane, row.n_asked, row.n_answered)
        for row in scores.rows
        if not row.metric.startswith("detection") and row.metric != "lesion_recall"
    }


def axial(index: int) -> SliceFrame:
    return make_subject().frame("axial", index)


AXIAL_DIAGONAL = math.hypot(19 * 1.0, 23 * 0.5)
BOX_DIAGONAL = math.hypot(10 * 1.0, 10 * 0.5)


def test_parts_of_the_tumour_are_scored_only_where_the_mask_marks_them() -> None:
    subject = make_subject()
    assert subject.labels is not None
    whole = replace(subject, labels=np.where(subject.labels > 0, UNDIVIDED, 0).astype(np.uint8))
    answer = Answered(VolumeMask(subject.tumour, core=subject.tumour, enhancing=subject.tumour))
    tasks = [
        {row.task for row in score_subject(one, [Item("m", "mask", None, answer)], SLICES).rows}
        for one in (subject, whole)
    ]
    assert tasks[0] - tasks[1] == {"core", "enhancing"}


def test_a_right_mask_is_right_on_every_task() -> None:
    subject = make_subject()
    item = Item("m", "mask", None, Answered(VolumeMask(subject.tumour)))
    scores = score_subject(subject, [item], {"axial": [2, 3], "sagittal": [10]})
    found = {"detection_sensitivity": 1, "detection_specificity": pytest.approx(math.nan, nan_ok=True)}
    right = {"dice": 1, "hd95_mm": 0, "precision": 1, "recall": 1, "specificity": 1, "surface_dice": 1, **found}
    lesions = {"lesion_dice": 1, "lesion_f1": 1, "lesion_recall": 1, "false_positives": 0}
    assert figures(scores, "mask", "mask", "volume") == right | lesions
    for plane in ("axial", "sagittal"):
        assert figures(scores, "polygon", "mask", plane) == right
        assert figures(scores, "box", "mask", plane) == right
        near = {"distance_to_box_mm": 0, "distance_to_centre_mm": 0, "relative_distance": 0}
        near |= {"distance_to_box_p95_mm": 0, "distance_to_centre_p95_mm": 0}
        assert figures(scores, "centre", "mask", plane) == {"in_box": 1, **near, **found}


def test_a_box_beside_the_truth_and_one_unanswered() -> None:
    """Slice 2: five columns (2.5 mm) to the right, so half of 100 pixels is shared, and of 36 pixels of either outline
    26 lie within 2 mm of the other's: nine of the top, nine of the bottom, the left or right column. Slice 3: nothing.
    """
    subject = make_subject()
    box = Answered(Box(axial(2), 5, 13, 14, 22))
    items = [Item("m", "box", axial(2), box), Item("m", "box", axial(3), UNANSWERED)]
    scores = score_subject(subject, items, SLICES)
    assert figures(scores, "box", "box", "axial") == pytest.approx(
        {
            "dice": 0.5 / 2,
            "hd95_mm": (2.5 + AXIAL_DIAGONAL) / 2,
            "precision": 0.5 / 2,
            "recall": 0.5 / 2,
            "specificity": (1 - 50 / 380) / 2,
            "surface_dice": 26 / 36 / 2,
            "detection_sensitivity": 1 / 2,
            "detection_specificity": math.nan,
        },
        nan_ok=True,
    )
    assert figures(scores, "centre", "box", "axial") == pytest.approx(
        {
            "in_box": 0,  # column 17.5 is half a pixel, 0.25 mm, past the edge
            "distance_to_box_mm": (0.25 + AXIAL_DIAGONAL) / 2,
            "distance_to_centre_mm": (2.5 + AXIAL_DIAGONAL) / 2,
            "distance_to_box_p95_mm": 0.25 + 0.95 * (AXIAL_DIAGONAL - 0.25),
            "distance_to_centre_p95_mm": 2.5 + 0.95 * (AXIAL_DIAGONAL - 2.5),
            "relative_distance": (2.5 + AXIAL_DIAGONAL) / 2 / BOX_DIAGONAL,
            "detection_sensitivity": 1 / 2,
            "detection_specificity": math.nan,
        },
        nan_ok=True,
    )
    stacked = figures(scores, "mask", "box", "volume")  # 50 of 100 voxels of the answer, 50 of 200 of the truth
    expected = {"dice": 2 * 50 / 300, "precision": 0.5, "recall": 0.25, "specificity": 1 - 50 / (np.prod(SHAPE) - 200)}
    assert {name: stacked[name] for name in expected} == pytest.approx(expected)
    assert counts(scores) == {("box", "axial", 2, 1), ("centre", "axial", 2, 1), ("mask", "volume", 2, 1)}


@pytest.mark.parametrize("task", ["centre", "box", "polygon", "mask"])
def test_that_there_is_no_tumour_is_right_where_there_is_none_and_wrong_where_there_is(task: str) -> None:
    """The tumour lies in slices 2 and 3 of six. First every answer is the true one, then it is "none" throughout."""
    subject = make_subject()
    none = [Item("m", task, axial(n), TASKS[task].parse("none", axial(n), False)) for n in range(6)]
    truths = {n: TASKS[task].of_mask(Mask(axial(n), subject.tumour[n])) for n in (2, 3)}
    right = [Item("m", task, axial(n), Answered(truths[n])) if n in truths else none[n] for n in range(6)]
    for items, share, sensitivity in ((right, 1, 1), (none, 4 / 6, 0)):
        scores = score_subject(subject, items, SLICES)
        assert {(asked, answered) for _, _, asked, answered in counts(scores)} == {(6, 6)}
        detection = {row.metric: row for row in scores.rows if row.task == "centre" and row.metric.startswith("det")}
        assert [(row.value, row.n_asked) for row in detection.values()] == [(sensitivity, 2), (1, 4)]
        centre = figures(scores, "centre", task, "axial")
        assert (centre["in_box"], centre["distance_to_box_mm"]) == pytest.approx((share, (1 - share) * AXIAL_DIAGONAL))
        for coarser_task in coarser(task)[:-1]:
            assert figures(scores, coarser_task, task, "axial")["dice"] == pytest.approx(share)


def test_a_polygon_is_scored_against_the_polygon_and_counts_as_box_and_centre() -> None:
    subject = make_subject()
    square = tuple((row, column) for row, column in ((5, 8), (5, 17), (14, 17), (14, 8)))
    items = [Item("m", "polygon", axial(index), Answered(Polygon(axial(index), square))) for index in (2, 3)]
    scores = score_subject(subject, items, SLICES)
    for task, source, plane in (
        ("polygon", "polygon", "axial"),
        ("box", "polygon", "axial"),
        ("mask", "polygon", "volume"),
    ):
        assert figures(scores, task, source, plane)["dice"] == 1
    assert figures(scores, "centre", "polygon", "axial")["distance_to_centre_mm"] == 0


def test_coronal_slices_are_stacked_upright() -> None:
    """Of a coronal slice row 0 is the top (depth 5): a right box stacks to the right voxels, at every height."""
    subject = make_subject()
    frames = [subject.frame("coronal", index) for index in range(5, 15)]
    items = [Item("m", "box", frame, Answered(Box(frame, 2, 8, 3, 17))) for frame in frames]
    scores = score_subject(subject, items, {"coronal": range(5, 15)})
    assert figures(scores, "box", "box", "coronal")["dice"] == 1
    assert figures(scores, "mask", "box", "volume")["dice"] == 1


def test_every_second_slice_stands_for_two() -> None:
    """The tumour lies in the coronal slices 5 to 14: answers about 5, 7, 9, 11 and 13 cover it, two slices each."""
    subject = make_subject()
    frames = [subject.frame("coronal", index) for index in range(5, 15, 2)]
    items = [Item("m", "box", frame, Answered(Box(frame, 2, 8, 3, 17))) for frame in frames]
    scores = score_subject(subject, items, {"coronal": range(5, 15, 2)}, every=2)
    assert figures(scores, "mask", "box", "volume")["dice"] == 1


def test_a_single_slice_stands_for_as_many_as_any_other() -> None:
    """Of every fourth slice only axial 2 was asked about: it stands for 1 to 4, of which 2 and 3 hold tumour."""
    subject = make_subject()
    item = Item("m", "box", axial(2), Answered(Box(axial(2), 5, 8, 14, 17)))
    scores = score_subject(subject, [item], {"axial": [2]}, every=4)
    assert figures(scores, "mask", "box", "volume")["dice"] == pytest.approx(2 * 2 / (4 + 2))


def test_of_several_planes_the_first_is_stacked() -> None:
    subject = make_subject()
    coronal = subject.frame("coronal", 5)
    items = [Item("m", "mask", coronal, UNANSWERED)]
    items += [Item("m", "mask", axial(n), Answered(Mask(axial(n), subject.tumour[n]))) for n in (2, 3)]
    scores = score_subject(subject, items, {"axial": [2, 3], "coronal": [5]})
    assert figures(scores, "mask", "mask", "volume")["dice"] == 1
    assert figures(scores, "mask", "mask", "axial")["dice"] == 1
    assert figures(scores, "mask", "mask", "coronal")["dice"] == 0


def test_an_unanswered_and_an_empty_volume() -> None:
    subject = make_subject()
    empty = Answered(VolumeMask(np.zeros(SHAPE, dtype=bool)))
    diagonal = math.sqrt((5 * 2) ** 2 + 19**2 + (23 * 0.5) ** 2)
    for answer, specificity, answered in ((empty, 1.0, 1), (Missing("no file"), 0.0, 0)):
        scores = score_subject(subject, [Item("m", "mask", None, answer)], {"axial": [2, 4]})
        volume = figures(scores, "mask", "mask", "volume")
        assert (volume["dice"], volume["specificity"]) == (0, specificity)
        assert volume["hd95_mm"] == pytest.approx(diagonal)
        asked = {(plane, asked, answered) for _, plane, asked, answered in counts(scores)}
        assert asked == {("volume", 1, answered), ("axial", 2, 2 * answered)}
        box = figures(scores, "box", "mask", "axial")  # slice 4 has no tumour: rightly left empty, or unanswered
        assert box["dice"] == answered / 2


def test_slices_of_which_none_is_answered_make_no_volume() -> None:
    """Also where there is no tumour: not having answered is not having said so."""
    nobody = [Item("m", "box", axial(index), UNANSWERED) for index in (2, 3)]
    healthy = replace(make_subject(), labels=np.zeros(SHAPE, np.uint8))
    for subject in (make_subject(), healthy):
        stacked = figures(score_subject(subject, nobody, SLICES), "mask", "box", "volume")
        assert (stacked["dice"], stacked["specificity"]) == (0, 0)
    said = [nobody[0], Item("m", "box", axial(3), Answered(None))]
    assert figures(score_subject(healthy, said, SLICES), "mask", "box", "volume")["dice"] == 1


def test_a_question_answered_twice() -> None:
    item = Item("m", "centre", axial(2), Answered(Point(axial(2), 1, 1)))
    with pytest.raises(ValueError, match=r"A: m .*centre .*axial slice 2 "):
        score_subject(make_subject(), [item, item], SLICES)


def grade_items(subject: PreparedSubject, *grades: int | None) -> list[Item]:
    answers = [UNANSWERED if grade is None else Answered(Grade(grade)) for grade in grades]
    return [Item("m", "grade", subject.frame("axial", index), answer) for index, answer in enumerate(answers)]


@pytest.fixture
def scores() -> Scores:
    """Four patients, asked slice by slice by `m` and once by `net`; D's grade is unknown."""
    votes = {"A": (1, (1, 1, 0)), "B": (1, (None, None, 1)), "C": (0, (0, GLIOMA.none, 0)), "D": (None, (1, 1, 1))}
    parts = []
    for number, (id, (grade, answers)) in enumerate(votes.items()):
        subject = make_subject(id, grade)
        items = grade_items(subject, *answers)
        items.append(Item("net", "grade", None, Answered(Grade(1)), score=0.9 - number / 10))
        items.append(Item("net", "mask", None, Answered(VolumeMask(subject.tumour))))
        parts.append(score_subject(subject, items, SLICES))
    return summarise(reversed(parts), Bootstrap(resamples=200))


def test_columns_and_units(scores: Scores) -> None:
    assert tuple(scores.per_subject.columns) == PER_SUBJECT
    assert tuple(scores.summary.columns) == SUMMARY
    assert tuple(scores.votes.columns) == votes_columns(GLIOMA)
    assert set(scores.summary.loc[scores.summary["metric"].str.endswith("_mm"), "unit"]) == {"mm"}


def test_votes_table(scores: Scores) -> None:
    votes = scores.votes[scores.votes["model"] == "m"].set_index("subject")
    assert list(votes.index) == ["A", "B", "C", "D"]
    assert votes.loc["B", ["lgg", "hgg", "no_glioma", "unanswered"]].tolist() == [0, 1, 0, 2]
    assert votes["gldr"].tolist() == pytest.approx([2 / 3, 1, 0, 1])
    assert votes["predicted"].tolist() == [1, pd.NA, 0, 1]
    assert votes["score"].tolist() == pytest.approx([2 / 3, 0, 0, math.nan], nan_ok=True)
    net = scores.votes[scores.votes["model"] == "net"].set_index("subject")
    assert set(net["plane"]) == {"volume"}
    assert net["score"].tolist() == pytest.approx([0.9, 0.8, 0.7, math.nan], nan_ok=True)


def test_summary_of_grades(scores: Scores) -> None:
    summary = scores.summary[(scores.summary["model"] == "m") & (scores.summary["task"] == "grade")]
    summary = summary.set_index("metric")
    expected = {"accuracy": 2 / 3, "recall": 0.5, "specificity": 1, "precision": 1, "f1": 2 / 3, "auc": 0.75}
    expected |= {"balanced_accuracy": 0.75, "slice_accuracy": (2 / 3 + 1 / 3 + 2 / 3) / 3}
    assert summary["value"].to_dict() == pytest.approx(expected)
    assert set(zip(summary["n_subjects"], summary["n_asked"], summary["n_answered"], strict=True)) == {(3, 9, 7)}
    assert summary["coverage"].tolist() == pytest.approx([7 / 9] * 8)
    assert summary.loc["accuracy", "interval"].startswith(AGRESTI_COULL)


def test_summary_of_areas_is_the_mean_of_the_patients(scores: Scores) -> None:
    keys = ["model", "task", "source", "plane", "metric"]
    means = scores.per_subject.groupby(keys)["value"].mean()
    summary = scores.summary.set_index(keys)["value"]
    assert summary[means.index].tolist() == pytest.approx(means.tolist(), nan_ok=True)
    dice = scores.summary[(scores.summary["metric"] == "dice") & (scores.summary["task"] == "mask")].iloc[0]
    assert (dice["n_subjects"], dice["n_asked"], dice["n_answered"]) == (4, 4, 4)
    assert (dice["value"], dice["high"]) == (1, 1)
    assert dice["low"] == pytest.approx(beta.ppf(0.025, 4.5, 0.5), abs=0.08)  # Jeffreys, 4 of 4


def test_nothing_to_score() -> None:
    empty = summarise([])
    assert (len(empty.per_subject), len(empty.summary), len(empty.votes)) == (0, 0, 0)


def test_a_finer_answer_stands_in_a_coarser_table_for_its_slices_or_not_at_all() -> None:
    """Polygons in slices 2 and 3: right in 2, elsewhere in 3; boxes were asked of slice 2, centres of 3 and 4 too."""
    subject = make_subject()
    corners = [(5.0, 8.0), (5.0, 17.0), (14.0, 17.0), (14.0, 8.0)]
    right = Polygon(axial(2), tuple(corners))
    wrong = Polygon(axial(3), ((0.0, 0.0), (0.0, 3.0), (3.0, 3.0), (3.0, 0.0)))
    items = [Item("m", "polygon", one.frame, Answered(one)) for one in (right, wrong)]
    mask = np.zeros(SHAPE, bool)
    mask[2] = subject.tumour[2]
    items.append(Item("m", "mask", None, Answered(VolumeMask(mask))))
    kept: dict[tuple[Plane, str], list[int]] = {("axial", "box"): [2], ("axial", "centre"): [2, 3, 4]}
    scores = score_subject(subject, items, {"axial": [2, 3, 4]}, kept=kept)
    assert figures(scores, "polygon", "polygon", "axial")["dice"] == 0.5
    assert figures(scores, "box", "polygon", "axial")["dice"] == 1
    assert figures(scores, "centre", "polygon", "axial") == {}
    # The mask of the volume: right in slice 2, nothing in 3, and slice 4 has no tumour.
    assert figures(scores, "box", "mask", "axial")["dice"] == 1
    own = [row for row in scores.rows if row.plane == "axial" and not row.metric.startswith("detection")]
    asked = {(row.task, row.source): row.n_asked for row in own}
    assert asked[("box", "polygon")] == asked[("box", "mask")] == 1
    assert asked[("centre", "mask")] == 3
