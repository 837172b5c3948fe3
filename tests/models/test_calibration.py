"""One rule for the operating point of every grade model: by hand, and the same whoever gives the scores."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize_scalar

from gliobench.cohort.problem import NODULES, Problem
from gliobench.models.base.calibration import learn_operating_point
from gliobench.models.base.operating_point import OperatingPoint, calibrated, class_at
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


def three(patients: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three classes, and classes drawn from their power `sharpness`."""
    random = np.random.default_rng(seed)
    scores = random.dirichlet([1.0, 1.0, 1.0], patients)
    powers = scores**sharpness
    chances = powers / powers.sum(axis=1, keepdims=True)
    return scores, np.array([random.choice(3, p=row) for row in chances])


def test_a_temperature_is_recovered() -> None:
    for sharpness in (0.4, 1.0, 2.5):
        scores, truth = three(6000, sharpness)
        decision, fault = learn_operating_point(scores, truth, NODULES)
        assert (fault, decision.threshold, decision.offset) == ("", 0.5, 0.0)
        assert decision.slope == pytest.approx(sharpness, rel=0.06)


def test_a_temperature_is_the_likeliest_of_smoothed_targets() -> None:
    scores, truth = three(40, 1.5, seed=3)
    decision, _ = learn_operating_point(scores, truth, NODULES)
    sizes = [int((truth == one).sum()) for one in range(3)]
    targets = np.array([[(sizes[own] * (own == one) + 1) / (sizes[own] + 3) for one in range(3)] for own in truth])

    def loss(slope: float) -> float:
        powers = scores**slope
        return float(-(targets * np.log(powers / powers.sum(axis=1, keepdims=True))).sum())

    assert decision.slope == pytest.approx(minimize_scalar(loss, bounds=(0.01, 20), method="bounded").x, abs=1e-4)
    tempered = calibrated(scores[0], decision)
    assert np.sum(tempered) == pytest.approx(1)
    assert np.argsort(tempered).tolist() == np.argsort(scores[0]).tolist(), "a temperature changes no order"


def test_three_classes_that_the_scores_separate_are_not_taken_for_certain() -> None:
    truth = np.repeat([0, 1, 2], 6)
    decision, fault = learn_operating_point(np.eye(3)[truth] * 0.7 + 0.1, truth, NODULES)
    # Targets 7/9, 1/9, 1/9 and scores 0.8, 0.1, 0.1: 8 to the power of the slope is 7.
    assert (fault, decision.slope) == ("", pytest.approx(np.log(7) / np.log(8)))


SEPARATE = np.eye(3)[np.repeat([0, 1, 2], 6)] * 0.7 + 0.1


@pytest.mark.parametrize(
    ("scores", "truth", "why"),
    [
        (SEPARATE[:16], np.repeat([0, 1, 2], 6)[:16], "5 of each class are needed"),
        (SEPARATE[:12], np.repeat([0, 1], 6), "5 of each class are needed"),
        (SEPARATE, np.repeat([1, 2, 0], 6), "the scores order them the wrong way round"),
        (np.full((18, 3), 1 / 3), np.repeat([0, 1, 2], 6), "the scores lie within 0.01"),
    ],
)
def test_where_nothing_can_be_learnt_of_three_classes_they_stay(
    scores: np.ndarray, truth: np.ndarray, why: str
) -> None:
    assert learn_operating_point(scores, truth, NODULES) == (OperatingPoint(), why)


def test_of_two_classes_the_positive_one_may_be_the_first() -> None:
    first = Problem(name="p", images={"ct": None}, classes=("sick", "well"), positive="sick")
    last = Problem(name="p", images={"ct": None}, classes=("well", "sick"))
    own, other = learn_operating_point(SCORES, 1 - TRUTH, first), learn_operating_point(SCORES, 1 * TRUTH, last)
    assert own == other
    assert (class_at(0.5, 0.7, first).value, class_at(0.5, 0.7, last).value) == (0, 1)
