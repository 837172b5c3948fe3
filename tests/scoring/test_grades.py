"""Votes, decisions and figures of grades: by hand, against scikit-learn, and the reference study's published ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import SliceFrame
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.votes import GradedPatient, Votes, count_votes, most_votes
from gliobench.tasks.answer import Answered, Malformed, Missing, Refused, Truncated
from gliobench.tasks.geometry import Grade, Point

FAST = Bootstrap(resamples=500)


def patient(truth: int, lgg: int, hgg: int, no_glioma: int = 0, unanswered: int = 0) -> GradedPatient:
    votes = Votes((lgg, hgg), no_glioma, unanswered)
    return GradedPatient(truth, most_votes(votes), votes)


@pytest.mark.parametrize(
    ("votes", "grade"),
    [
        (Votes((3, 2), 0, 0), 0),
        (Votes((2, 3), 0, 0), 1),
        (Votes((2, 2), 0, 0), 0),  # ties go to the lower class
        (Votes((1, 3), 3, 3), 1),
        (Votes((1, 2), 3, 0), None),
        (Votes((1, 2), 0, 3), None),
        (Votes((0, 0), 2, 2), None),
    ],
)
def test_most_votes(votes: Votes, grade: int | None) -> None:
    assert most_votes(votes) == grade


def test_count_votes_and_gldr() -> None:
    answers = [
        Answered(Grade(0)),
        Answered(Grade(1)),
        Answered(Grade(1)),
        Answered(Grade(1)),
        Answered(Grade(GLIOMA.none)),
    ]
    failures = [Malformed(""), Refused(""), Truncated(""), Missing("")]
    votes = count_votes([*answers, *failures])
    assert votes == Votes((1, 3), 1, 4)
    assert votes.shares == (0.25, 0.75)
    assert np.isnan(Votes((0, 0), 3, 1).shares).all()


def test_a_vote_that_is_no_grade() -> None:
    frame = SliceFrame("axial", 0, (4, 4), (1.0, 1.0))
    with pytest.raises(TypeError, match="Point"):
        count_votes([Answered(Point(frame, 1, 1))])


def test_a_patient_without_a_grade_is_wrong_whatever_the_truth() -> None:
    missed, alarm = patient(1, 0, 0, 2, 3), patient(0, 1, 0, 0, 3)
    assert missed.scores == (1.0, 0.0)
    assert alarm.scores == (0.0, 1.0)
    figures = grade_figures([missed, alarm, patient(1, 0, 3), patient(0, 3, 0)], FAST)
    assert {name: figure.value for name, figure in figures.items()} == {
        "accuracy": 0.5,
        "balanced_accuracy": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "specificity": 0.5,
        "f1": 0.5,
        "auc": 0.5,  # pairs (HGG, LGG): 0 < 1, 0 = 0, 1 = 1, 1 > 0
    }


def test_figures_equal_scikit_learn() -> None:
    random = np.random.default_rng(0)
    patients = [patient(int(random.random() < 0.7), *random.integers(1, 9, 2)) for _ in range(60)]
    truth, called = [one.truth for one in patients], [one.predicted for one in patients]
    figures = {name: figure.value for name, figure in grade_figures(patients, FAST).items()}
    assert figures == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, called),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, called),
            "precision": metrics.precision_score(truth, called),
            "recall": metrics.recall_score(truth, called),
            "specificity": metrics.recall_score(truth, called, pos_label=0),
            "f1": metrics.f1_score(truth, called),
            "auc": metrics.roc_auc_score(truth, [one.scores[1] for one in patients]),
        }
    )


def test_the_models_own_probability_orders_patients() -> None:
    votes = Votes((1, 0), 0, 0, (1 - 0.4, 0.4))
    assert GradedPatient(1, 0, votes).scores[1] == 0.4


@pytest.mark.realdata
def test_tallies_of_the_reference_study(shared: Path) -> None:
    """grade/general-axial: no winner is left out there, so accuracy 0.7818, F1 0.8776, precision 0.7963, recall
    0.9773 and specificity 0 of the study (replication/README.md) are the standard ones too."""
    patients = []
    for file in sorted((shared / "replication" / "grade" / "general-axial").glob("scan_results_*.txt")):
        text = file.read_text()
        tally = re.search(r"Tally: \[(\d+), (\d+), (\d+), (\d+)\]", text)
        truth = re.search(r"True Label: (LGG|HGG)", text)
        assert tally, file.name
        assert truth, file.name
        patients.append(patient(GLIOMA.classes.index(truth[1]), *(int(count) for count in tally.groups())))
    figures = grade_figures(patients, FAST)
    published = {"accuracy": 0.7818, "f1": 0.8776, "precision": 0.7963, "recall": 0.9773, "specificity": 0.0}
    assert {name: figures[name].value for name in published} == pytest.approx(published, abs=5e-5)
    assert len(patients) == 55


def from_site(truth: int, probability: float, origin: str | None) -> GradedPatient:
    votes = Votes((0, 1), 0, 0, (1 - probability, probability))
    return GradedPatient(truth, int(probability >= 0.5), votes, origin)


def test_within_source_auc_counts_pairs_of_one_source_alone() -> None:
    """Oslo: 0.9 and 0.4 against 0.5, 1 of 2 pairs; Rome: 0.2 against 0.2 and 0.1, 1.5 of 2; nobody to pair in Lyon."""
    patients = [
        *(from_site(1, 0.9, "Oslo"), from_site(1, 0.4, "Oslo"), from_site(0, 0.5, "Oslo")),
        *(from_site(1, 0.2, "Rome"), from_site(0, 0.2, "Rome"), from_site(0, 0.1, "Rome")),
        *(from_site(1, 0.1, "Lyon"), from_site(0, 0.9, None), from_site(1, 0.3, None)),
    ]
    figures = grade_figures(patients, FAST)
    assert figures["within_source_auc"].value == pytest.approx(2.5 / 4)
    assert figures["within_source_auc"].low < 2.5 / 4 < figures["within_source_auc"].high


def test_within_source_auc_of_a_model_that_knows_the_source_alone_is_one_half() -> None:
    """Oslo has four patients of the positive class among five, Rome one: telling the two apart is an AUC of 0.8."""
    chance = {"Oslo": 0.8, "Rome": 0.2}
    patients = [
        from_site(truth, chance[site], site)
        for site, truths in (("Oslo", (1, 1, 1, 1, 0)), ("Rome", (0, 0, 0, 0, 1)))
        for truth in truths
    ]
    figures = grade_figures(patients, FAST)
    assert figures["auc"].value == pytest.approx((16 + 0.5 * 8) / 25)
    assert figures["within_source_auc"].value == 0.5


def test_within_source_auc_where_sources_have_one_class_each_or_are_not_known() -> None:
    apart = [from_site(1, 0.9, "Oslo"), from_site(1, 0.8, "Oslo"), from_site(0, 0.1, "Rome")]
    figure = grade_figures(apart, FAST)["within_source_auc"]
    assert (np.isnan(figure.value), figure.reason) == (True, "no source has patients with HGG and others")
    assert "within_source_auc" not in grade_figures([from_site(1, 0.9, None), from_site(0, 0.1, "Rome")], FAST)
