"""One rule for the operating point of every grade model: by hand, and the same whoever gives the scores."""

import numpy as np
import pytest
import statsmodels.api as sm

from gliobench.models.base.calibration import learn_operating_point
from gliobench.models.base.operating_point import OperatingPoint, calibrated
from gliobench.models.classical.held_out import decide_held_out


def as_it_stands(scores: np.ndarray, truth: np.ndarray) -> OperatingPoint:
    return learn_operating_point(scores, truth)[0]


def test_the_threshold_is_the_mean_of_platts_targets_by_hand() -> None:
    truth = np.array([True] * 10 + [False] * 5)
    scores = np.array([0.2, 0.5, 0.6, 0.7, 0.8, 0.8, 0.9, 0.9, 0.9, 0.9, 0.1, 0.2, 0.3, 0.6, 0.4])
    decision, fault = learn_operating_point(scores, truth)
    # Targets: 11/12 for the ten with HGG, 1/7 for the five with LGG.
    assert (fault, decision.threshold) == ("", pytest.approx((10 * 11 / 12 + 5 / 7) / 15))
    targets = np.where(truth, 11 / 12, 1 / 7)
    logit = np.log(scores / (1 - scores))
    fitted = sm.GLM(targets, sm.add_constant(logit), family=sm.families.Binomial()).fit().params
    assert (decision.offset, decision.slope) == pytest.approx(tuple(fitted), abs=1e-6)
    found = [calibrated(float(one), decision) for one in scores]
    assert np.mean(found) == pytest.approx(decision.threshold, abs=1e-6), "who is likelier HGG than the average is HGG"


def test_the_distortion_of_a_score_is_recovered_whatever_its_scale() -> None:
    random = np.random.default_rng(0)
    logit = random.normal(0, 1.5, 20_000)
    truth = random.random(20_000) < 1 / (1 + np.exp(-logit))
    for stretched in (2.0, 50.0):
        decision = as_it_stands(1 / (1 + np.exp(-(logit - 1) / stretched)), truth)
        assert (decision.slope / stretched, decision.offset) == pytest.approx((1, 1), abs=0.05)


def test_scores_that_separate_the_grades_are_not_taken_for_certain() -> None:
    truth = np.arange(12) >= 6
    decision = as_it_stands(np.where(truth, 0.9, 0.1), truth)
    # All of one score: their probability is the target itself, 7/8 and 1/8.
    assert [calibrated(one, decision) for one in (0.9, 0.1)] == pytest.approx([7 / 8, 1 / 8], abs=1e-5)
    assert decision.threshold == 0.5


SCORES = np.array([0.9, 0.8, 0.85, 0.7, 0.75, 0.95, 0.6, 0.2, 0.3, 0.1, 0.25, 0.65])
TRUTH = np.array([True] * 7 + [False] * 5)


@pytest.mark.parametrize(
    ("scores", "truth", "why"),
    [
        (SCORES[:11], TRUTH[:11], "5 of each grade are needed"),
        (1 - SCORES, TRUTH, "the scores order them the wrong way round"),
        (np.full(12, 0.7777), TRUTH, "the scores lie within 0.01"),
        (0.7777 + SCORES * 1e-4, TRUTH, "the scores lie within 0.01"),
        (SCORES, np.full(12, True), "5 of each grade are needed"),
    ],
)
def test_where_nothing_can_be_learnt_scores_stay_and_one_half_decides(
    scores: np.ndarray, truth: np.ndarray, why: str
) -> None:
    assert learn_operating_point(scores, truth) == (OperatingPoint(threshold=0.5), why)


def test_a_model_whose_validation_scores_do_not_spread_has_learnt_nothing() -> None:
    """A probe out of fold differs from fold to fold by the share of HGG learnt from, and tells nobody apart."""
    same, grades = np.full(12, 0.7777), TRUTH.astype(int)
    patients = [f"P{n}" for n in range(12)]
    decision, whom = decide_held_out(same, grades, lambda: SCORES, grades, patients)
    assert (decision, whom) == (OperatingPoint(), "nobody: the scores lie within 0.01")
    assert decide_held_out(SCORES, grades, lambda: SCORES, grades, patients)[0].slope > 0
