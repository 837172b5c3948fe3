"""From slices to a patient's grade, worked out by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score
from tests.scoring.test_score import axial, make_subject

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.models.base.operating_point import OperatingPoint
from gliobench.scoring.aggregate import MAJORITY, Aggregation, Slices, of_scores, of_votes
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.score import Item, score_subject
from gliobench.scoring.summary import summarise
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.geometry import Grade

MEAN = Aggregation("mean-probability", "scores")


def test_slices_together() -> None:
    assert of_scores([0.9, 0.6, None]) == Slices(0.75, 2, 1)
    assert of_scores([None, None]) == Slices(None, 0, 2)
    # 3 HGG and 1 LGG: 3.5 / 5; votes for no glioma are not given, two slices gave nothing
    assert of_votes((1, 3), 2) == Slices(0.7, 4, 2)
    assert of_votes((0, 0), 2) == Slices(None, 0, 2)


def test_a_silent_slice_counts_as_the_worst_probability() -> None:
    slices = Slices(0.75, 2, 1)
    assert MEAN.probability(slices, 1) == pytest.approx(0.5)  # (0.9 + 0.6 + 0) / 3
    assert MEAN.probability(slices, 0) == pytest.approx(2.5 / 3)  # (0.9 + 0.6 + 1) / 3
    assert MEAN.probability(slices, None) == 0.75
    assert MEAN.probability(Slices(None, 0, 3), 1) is None


def test_a_learned_aggregation_stretches_the_logit_and_moves_the_threshold() -> None:
    learned = Aggregation("learned", "scores", OperatingPoint(threshold=0.8, slope=2.0, offset=-1.0))
    # logit(3/4) = log 3; twice that less 1 has the odds 9 / e
    expected = 9 / (9 + math.e)
    assert learned.probability(Slices(0.75, 2, 0), 1) == pytest.approx(expected)
    assert learned.probability(Slices(0.75, 2, 2), 1) == pytest.approx(expected / 2)
    assert (learned.call(expected), learned.call(0.8), learned.call(None)) == (0, 1, None)


def test_of_three_classes_the_probabilities_are_averaged_and_silence_goes_to_the_likeliest_wrong_class() -> None:
    slices = of_scores([np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6]), None])
    assert (slices.said, slices.silent) == (2, 1)
    assert slices.mean == pytest.approx([0.3, 0.3, 0.4])
    # (2 x mean + one slice for the likeliest wrong class) / 3
    assert MEAN.probability(slices, 2, NODULES) == pytest.approx([1.6 / 3, 0.2, 0.8 / 3])  # in a tie the first
    assert MEAN.probability(slices, 0, NODULES) == pytest.approx([0.2, 0.2, 1.8 / 3])
    assert MEAN.probability(slices, None, NODULES) == pytest.approx([0.3, 0.3, 0.4])
    assert MEAN.call(slices.mean, NODULES) == 2
    assert MEAN.call(np.array([0.4, 0.4, 0.2]), NODULES) == 0  # in a tie the first
    # 0, 3 and 1 votes: each a half more, of 4 + 3/2
    assert of_votes((0, 3, 1), 2, NODULES).mean == pytest.approx([0.5 / 5.5, 3.5 / 5.5, 1.5 / 5.5])


def test_a_learned_temperature_is_applied_to_the_mean() -> None:
    learned = Aggregation("learned", "scores", OperatingPoint(slope=2.0))
    found = learned.probability(Slices(np.array([0.5, 0.3, 0.2]), 3, 0), 0, NODULES)
    assert found == pytest.approx(np.array([25, 9, 4]) / 38)  # squares, summing to 1


def items(model: str, said: list[tuple[Answer, float | None]]) -> list[Item]:
    return [Item(model, "grade", axial(place), answer, score) for place, (answer, score) in enumerate(said)]


@pytest.mark.parametrize(
    ("said", "by_majority", "by_mean", "probability"),
    [
        # Two say LGG by a hair and one HGG without a doubt: the votes and the mean part company.
        ([(0, 0.45), (0, 0.45), (1, 0.9)], 0, 1, 0.6),
        ([(1, 0.55), (1, 0.6), (0, 0.1)], 1, 0, 1.25 / 3),
        ([(1, 0.5)], 1, 1, 0.5),  # at a half: HGG
        # What is malformed has no say, whatever the probabilities behind it: (0.9 + 0.9 + 0) / 3
        ([(1, 0.9), (1, 0.9), (None, 0.99)], 1, 1, 0.6),
        ([(1, 0.9), (None, 0.99), (None, None)], None, 0, 0.3),
    ],
)
def test_the_majority_and_the_mean_of_one_patient(
    said: list[tuple[int | None, float | None]], by_majority: int | None, by_mean: int, probability: float
) -> None:
    answers = [(Malformed("") if grade is None else Answered(Grade(grade)), score) for grade, score in said]
    both = items("votes", answers) + items("mean", answers)
    scores = score_subject(make_subject(), both, {}, aggregations={("mean", "axial"): MEAN})
    votes, mean = scores.votes
    assert (votes.predicted, votes.votes.probabilities, votes.aggregate) == (by_majority, None, "majority")
    assert (mean.predicted, mean.aggregate) == (by_mean, "mean-probability")
    assert mean.votes.probabilities == pytest.approx((1 - probability, probability))
    assert mean.votes.counts == votes.votes.counts


def test_a_slice_by_slice_model_has_auc_and_calibration() -> None:
    random = np.random.default_rng(0)
    truth = [0, 1, 1, 0, 1, 0, 1, 1]
    means, scored = [], []
    for place, grade in enumerate(truth):
        chances = np.clip(random.normal(0.45 + 0.15 * grade, 0.15, 5), 0.01, 0.99)
        means.append(float(chances.mean()))
        said = [(Answered(Grade(int(chance >= 0.5))), float(chance)) for chance in chances]
        own = items("m", said) + items("n", [(Answered(Grade(GLIOMA.none)), None)])
        scored.append(score_subject(make_subject(f"P{place}", grade), own, {}, aggregations={("m", "axial"): MEAN}))
    tables = summarise(scored, Bootstrap(resamples=200))
    figures = tables.summary[tables.summary["model"] == "m"].set_index("metric")["value"]
    assert figures["auc"] == pytest.approx(roc_auc_score(truth, means))
    assert figures["brier"] == pytest.approx(brier_score_loss(truth, means))
    assert {"calibration_error", "calibration_slope", "calibration_intercept"} <= set(figures.index)
    assert "brier" not in set(tables.summary.loc[tables.summary["model"] == "n", "metric"]), "votes are no probability"
    assert dict(tables.votes.groupby("model")["aggregate"].first()) == {"m": "mean-probability", "n": "majority"}


def test_nothing_said_is_wrong_whatever_the_truth() -> None:
    for grade in (0, 1):
        own = items("m", [(Malformed(""), None)] * 3)
        (vote,) = score_subject(make_subject(grade=grade), own, {}, aggregations={("m", "axial"): MEAN}).votes
        assert vote.predicted is None
    assert MAJORITY.by == "votes"
