"""Scores of several sites as one: by hand, and as one study of all their patients."""

import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA, NODULES, Problem
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.pool import classes_of, pool
from gliobench.scoring.score import SubjectRow, SubjectScores, VoteRow
from gliobench.scoring.summary import Scores, problem_of, summarise
from gliobench.scoring.votes import Votes

QUICK = Bootstrap(resamples=200)
KEY = ["model", "task", "source", "plane", "metric"]


def scan(
    id: str,
    patient: str,
    grade: int,
    dice: float,
    probabilities: tuple[float, ...],
    problem: Problem,
    origin: str | None = None,
) -> SubjectScores:
    """A mask and a class with its probabilities, by one model."""
    called = max(range(problem.count), key=probabilities.__getitem__)
    counts = tuple(int(number == called) for number in range(problem.count))
    row = SubjectRow("cnn", "mask", "mask", "volume", id, patient, grade, "dice", dice, 1, 1)
    vote = VoteRow(
        "cnn", "volume", id, patient, grade, Votes(counts, 0, 0, probabilities), called, "majority", problem, origin
    )
    return SubjectScores((row,), (vote,))


def site(*scans: SubjectScores, problem: Problem = GLIOMA) -> Scores:
    return summarise(scans, QUICK, problem)


def figures(scores: Scores) -> pd.DataFrame:
    return scores.summary.set_index(KEY).sort_index()


A = site(
    scan("P1-001", "P1", 1, 0.2, (0.1, 0.9), GLIOMA),
    scan("P1-002", "P1", 1, 0.6, (0.6, 0.4), GLIOMA),
    scan("P2", "P2", 0, 0.9, (0.7, 0.3), GLIOMA),
)
B = site(scan("P1", "P1", 0, 0.5, (0.2, 0.8), GLIOMA), scan("P3", "P3", 1, 0.1, (0.3, 0.7), GLIOMA))


def test_a_patient_counts_once_with_the_mean_of_its_scans_and_ids_of_two_sites_are_two_patients() -> None:
    both = pool({"A": A, "B": B}, QUICK)
    dice = figures(both).loc[("cnn", "mask", "mask", "volume", "dice")]
    assert dice["value"] == pytest.approx(((0.2 + 0.6) / 2 + 0.9 + 0.5 + 0.1) / 4)
    assert dice["n_subjects"] == 4
    accuracy = figures(both).loc[("cnn", "grade", "grade", "volume", "accuracy")]
    assert accuracy["value"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)  # P1 of A is right in one of two scans
    assert classes_of(both, 2) == (4, (2, 2))
    within = figures(both).loc[("cnn", "grade", "grade", "volume", "within_source_auc")]
    assert within["value"] == pytest.approx((1 + 0) / 2)  # the pair of A in the right order, that of B in the wrong one


def test_all_figures_and_intervals_are_those_of_one_study_of_all_patients() -> None:
    one = site(
        scan("A/P1-001", "A/P1", 1, 0.2, (0.1, 0.9), GLIOMA, "A"),
        scan("A/P1-002", "A/P1", 1, 0.6, (0.6, 0.4), GLIOMA, "A"),
        scan("A/P2", "A/P2", 0, 0.9, (0.7, 0.3), GLIOMA, "A"),
        scan("B/P1", "B/P1", 0, 0.5, (0.2, 0.8), GLIOMA, "B"),
        scan("B/P3", "B/P3", 1, 0.1, (0.3, 0.7), GLIOMA, "B"),
    )
    pd.testing.assert_frame_equal(figures(pool({"A": A, "B": B}, QUICK)), figures(one))


def test_several_classes_keep_their_probabilities() -> None:
    scans = [
        scan("N1", "N1", 0, 0.3, (0.5, 0.3, 0.2), NODULES),
        scan("N2", "N2", 1, 0.3, (0.5, 0.3, 0.2), NODULES),
        scan("N3", "N3", 2, 0.3, (0.1, 0.1, 0.8), NODULES),
    ]
    own = site(*scans, problem=NODULES)
    again = pool({"A": own}, QUICK)
    assert problem_of(again.votes) == NODULES
    pd.testing.assert_frame_equal(figures(again), figures(own))
    assert ("cnn", "grade", "grade", "volume", "brier") in figures(again).index
