"""Whether an answer has changed, by hand; and what proportions become of it."""

import numpy as np
import pytest
from scipy import stats

from gliobench.cohort.problem import GLIOMA, NODULES, Problem
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.scoring.controls import Outcome, Pair, equal, measure, outcome
from gliobench.tasks.answer import Answer, Answered, Malformed, Refused
from gliobench.tasks.geometry import Box, Grade, Point, Value, VolumeMask

NOTHING, FAILED = Answered(None), Malformed("?")


def frame(plane: Plane = "axial") -> SliceFrame:
    return SliceFrame(plane, 10, (20, 40), (1.0, 2.0))


def point(row: float, column: float, plane: Plane = "axial") -> Answered:
    return Answered(Point(frame(plane), row, column))


def box(column_min: int, column_max: int) -> Answered:
    return Answered(Box(frame(), 5, column_min, 8, column_max))


def volume(*indices: int) -> Answered:
    voxels = np.zeros((2, 2, 8), bool)
    voxels[0, 0, list(indices)] = True
    return Answered(VolumeMask(voxels))


def pair(
    task: str,
    own: Answer,
    altered: Answer,
    *,
    mirrors: bool = False,
    patient: str = "P",
    problem: Problem = GLIOMA,
) -> Pair:
    return Pair("m", task, "axial", "flipped" if mirrors else "other", mirrors, patient, own, altered, problem)


def test_classes_are_the_problems() -> None:
    """Of three classes the third is one of them, and not "nothing there"."""
    third, second = Answered(Grade(2)), Answered(Grade(1))
    same, other = (pair("grade", third, altered, problem=NODULES) for altered in (third, second))
    assert (outcome(same), equal(same)) == ("same", True)
    assert (outcome(other), equal(other)) == ("changed", False)
    assert len(measure([same, other])) == 3


@pytest.mark.parametrize(
    ("task", "own", "altered", "found"),
    [
        ("grade", Answered(Grade(1)), Answered(Grade(1)), "same"),
        ("grade", Answered(Grade(1)), Answered(Grade(0)), "changed"),
        ("grade", Answered(Grade(1)), FAILED, "unanswered"),
        ("grade", Refused("no"), Answered(Grade(1)), "unanswered"),
        ("grade", FAILED, FAILED, "unanswered"),
        ("centre", point(10, 10), point(10, 15), "same"),  # 5 columns of 2 mm are 10 mm
        ("centre", point(10, 10), point(11, 15), "changed"),
        ("centre", point(10, 10), NOTHING, "changed"),
        ("centre", NOTHING, NOTHING, "same"),
        ("box", box(0, 5), box(3, 8), "same"),  # 6 columns each, 3 in both: a Dice of one half
        ("box", box(0, 5), box(4, 9), "changed"),  # one third
        ("mask", volume(0, 1), volume(1, 2), "same"),
        ("mask", volume(0, 1, 2), volume(2, 3, 4), "changed"),
        ("mask", volume(), volume(), "same"),
        ("mask", volume(0), volume(), "changed"),
    ],
)
def test_an_answer_has_changed_where_it_is_another(task: str, own: Answer, altered: Answer, found: Outcome) -> None:
    assert outcome(pair(task, own, altered)) == found


@pytest.mark.parametrize(
    ("own", "altered", "found"),
    [
        (point(10, 5), point(10, 34), "changed"),  # the mirror image of column 5 of 40 is 34
        (point(10, 5), point(10, 5), "same"),  # the image was mirrored and the place stayed
        (point(10, 19), point(10, 19), "undecided"),  # its mirror image, column 20, is the same place
        (NOTHING, NOTHING, "undecided"),
        (point(10, 5), FAILED, "unanswered"),
        (point(10, 5, "sagittal"), point(10, 5, "sagittal"), "undecided"),  # nothing moves inside a sagittal slice
    ],
)
def test_of_a_mirror_image_a_place_moves_unless_it_is_its_own(own: Answer, altered: Answer, found: Outcome) -> None:
    assert outcome(pair("centre", own, altered, mirrors=True)) == found


def test_the_class_of_a_mirror_image_tells_nothing() -> None:
    stays = pair("grade", Answered(Grade(1)), Answered(Grade(1)), mirrors=True)
    assert (outcome(stays), stays.telling) == ("same", False)
    assert pair("box", box(0, 5), box(0, 5), mirrors=True).telling


def classes(*outcomes: str, patient: str) -> list[Pair]:
    said: dict[str, tuple[Answer, Answer]] = {
        "same": (Answered(Grade(1)), Answered(Grade(1))),
        "changed": (Answered(Grade(1)), Answered(Grade(0))),
        "unanswered": (Answered(Grade(1)), FAILED),
    }
    return [pair("grade", *said[one], patient=patient) for one in outcomes]


def test_every_patient_counts_the_same_and_failures_are_counted_beside() -> None:
    pairs = [
        *classes("changed", "changed", "changed", "changed", patient="A"),
        *classes("same", "unanswered", patient="B"),
    ]
    found = measure(pairs).set_index("outcome")
    assert found["value"].to_dict() == {"same": 0.25, "changed": 0.5, "unanswered": 0.25}
    assert found["n"].to_dict() == {"same": 1, "changed": 4, "unanswered": 1}
    assert set(found["n_subjects"]) == {2}
    assert set(found["n_pairs"]) == {6}
    assert found["n_equal"].to_dict() == {"same": 1, "changed": 0, "unanswered": 0}


def test_where_nothing_changed_the_interval_is_jeffreys() -> None:
    """Of right and wrong a Bayesian bootstrap with half a patient at each end is Jeffreys's interval."""
    pairs = [one for patient in range(20) for one in classes("same", patient=str(patient))]
    found = measure(pairs).set_index("outcome").loc["changed"]
    assert (found["value"], found["low"]) == (0, pytest.approx(0, abs=1e-9))
    assert found["high"] == pytest.approx(stats.beta.ppf(0.975, 0.5, 20.5), abs=0.01)


def test_where_nothing_can_be_decided_there_is_no_figure() -> None:
    still: Value = Point(frame(), 10, 19.5)
    (same, *_) = measure([pair("centre", Answered(still), Answered(still), mirrors=True)]).itertuples()
    assert np.isnan(same.value)
    assert (same.n_subjects, same.n_undecided) == (0, 1)
    assert same.reason


def test_what_is_the_same_can_differ_by_digits() -> None:
    near = pair("centre", point(10, 10), point(11, 10))
    assert (outcome(near), equal(near)) == ("same", False)
    assert equal(pair("mask", volume(1), volume(1)))
    assert not equal(pair("mask", volume(1), volume(1, 2)))
    assert not equal(pair("box", box(0, 5), FAILED))
