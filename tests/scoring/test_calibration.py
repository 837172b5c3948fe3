"""Calibration: by hand, against scikit-learn and statsmodels, and only where there are probabilities."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import brier_score_loss

from gliobench.scoring.calibration import reliability
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.votes import GradedPatient, Votes

FAST = Bootstrap(resamples=300)


def patient(truth: int, probability: float | None) -> GradedPatient:
    called = None if probability is None else int(probability >= 0.5)
    given = None if probability is None else (1 - probability, probability)
    votes = Votes((int(called == 0), int(called == 1)), 0, int(called is None), given)
    return GradedPatient(truth, called, votes)


def cohort(n: int, slope: float, intercept: float) -> tuple[list[GradedPatient], np.ndarray, np.ndarray]:
    """Patients whose truth follows sigmoid(intercept + slope * logit of what was said)."""
    random = np.random.default_rng(4)
    logit = random.normal(0.5, 1.5, n)
    truth = (random.random(n) < 1 / (1 + np.exp(-intercept - slope * logit))).astype(int)
    probability = 1 / (1 + np.exp(-logit))
    return [patient(int(t), float(p)) for t, p in zip(truth, probability, strict=True)], truth, logit


def test_brier_and_calibration_error_by_hand() -> None:
    patients = [patient(0, 0.12), patient(1, 0.18), patient(1, 0.9), patient(0, 0.7)]
    figures = grade_figures(patients, FAST)
    # 0.12² + 0.82² + 0.1² + 0.7², over 4
    assert figures["brier"].value == pytest.approx((0.0144 + 0.6724 + 0.01 + 0.49) / 4)
    # Bins 0.1-0.2: |0.15 - 1/2| of 2 patients; 0.9-1: |0.9 - 1|; 0.7-0.8: |0.7 - 0|
    assert figures["calibration_error"].value == pytest.approx((2 * 0.35 + 0.1 + 0.7) / 4)


def test_a_probability_on_an_edge_is_in_the_upper_bin_and_one_in_the_last() -> None:
    bins = reliability(np.array([False, True, True, True]), np.array([0.29, 0.3, 0.95, 1.0]))
    assert [one.n for one in bins] == [1, 1, 2]
    assert bins[2].mean == pytest.approx(0.975)
    assert (bins[2].share.value, bins[2].share.high) == (1, 1)
    z = 1.959964  # Agresti and Coull, 2 of 2: (2 + z²/2) of 2 + z²
    middle, n = (2 + z**2 / 2) / (2 + z**2), 2 + z**2
    assert bins[2].share.low == pytest.approx(middle - z * (middle * (1 - middle) / n) ** 0.5)


def test_brier_equals_scikit_learn_and_slope_and_intercept_equal_statsmodels() -> None:
    patients, truth, logit = cohort(150, slope=0.6, intercept=-0.4)
    figures = grade_figures(patients, FAST)
    assert figures["brier"].value == pytest.approx(brier_score_loss(truth, 1 / (1 + np.exp(-logit))))
    fitted = sm.Logit(truth, sm.add_constant(logit)).fit(disp=0).params
    assert figures["calibration_slope"].value == pytest.approx(fitted[1], abs=1e-6)
    offset = sm.GLM(truth, np.ones((150, 1)), family=sm.families.Binomial(), offset=logit).fit().params
    assert figures["calibration_intercept"].value == pytest.approx(offset[0], abs=1e-6)
    for figure in figures.values():
        assert figure.low < figure.value < figure.high


@pytest.mark.parametrize("seed", range(10))
def test_the_slope_of_a_model_that_is_too_sure_of_itself_equals_statsmodels(seed: int) -> None:
    """Logits four times as far from 0 as they should be, some of them at the clip: full steps swing to and fro."""
    random = np.random.default_rng(seed)
    logit = np.clip(random.normal(0, 6, 40), -13.8, 13.8)
    truth = (random.random(40) < 1 / (1 + np.exp(-logit / 4))).astype(int)
    patients = [patient(int(t), float(1 / (1 + np.exp(-x)))) for t, x in zip(truth, logit, strict=True)]
    fitted = sm.Logit(truth, sm.add_constant(logit)).fit(disp=0).params
    assert grade_figures(patients, FAST)["calibration_slope"].value == pytest.approx(fitted[1], abs=1e-6)


def test_the_interval_of_the_slope_is_about_that_of_its_standard_error() -> None:
    patients, truth, logit = cohort(400, slope=0.6, intercept=0.0)
    slope = grade_figures(patients, Bootstrap(resamples=2000))["calibration_slope"]
    error = sm.Logit(truth, sm.add_constant(logit)).fit(disp=0).bse[1]
    assert slope.high - slope.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_a_model_that_means_what_it_says_has_slope_one_and_intercept_zero() -> None:
    # Of ten patients that get 0.2 two are HGG, and so on.
    patients = [patient(int(n < 10 * said), said) for said in (0.2, 0.5, 0.8) for n in range(10)]
    figures = grade_figures(patients, FAST)
    assert figures["calibration_slope"].value == pytest.approx(1)
    assert figures["calibration_intercept"].value == pytest.approx(0, abs=1e-9)
    assert figures["calibration_error"].value == pytest.approx(0, abs=1e-9)


def test_a_patient_without_an_answer_counts_as_the_worst_probability() -> None:
    patients = [patient(1, 0.8), patient(0, 0.2), patient(1, None), patient(0, None)]
    assert grade_figures(patients, FAST)["brier"].value == pytest.approx((0.04 + 0.04 + 1 + 1) / 4)


@pytest.mark.parametrize(
    ("patients", "reason"),
    [
        ([patient(0, 0.2), patient(0, 0.3), patient(1, 0.7), patient(1, 0.9)], "the probabilities separate the grades"),
        ([patient(0, 0.7), patient(1, 0.7), patient(1, 0.7)], "all probabilities lie within 0.01"),
        ([patient(0, 0.7778), patient(1, 0.7777), patient(0, 0.7776)], "all probabilities lie within 0.01"),
        ([patient(0, 0.7), patient(1, 0.7), patient(1, None)], "all probabilities lie within 0.01"),
        ([patient(1, 0.7), patient(1, 0.6)], "no LGG patient"),
        ([patient(0, 0.7), patient(0, 0.6)], "no HGG patient"),
    ],
)
def test_a_slope_that_is_not_defined_says_why(patients: list[GradedPatient], reason: str) -> None:
    slope = grade_figures(patients, FAST)["calibration_slope"]
    assert np.isnan(slope.value)
    assert slope.reason == reason


def test_the_same_base_rate_for_everybody_has_a_finite_intercept() -> None:
    patients = [patient(0, 0.5), patient(1, 0.5), patient(1, 0.5), patient(1, 0.5)]
    # Three of four are HGG where half was said: the shift is logit(3/4) - logit(1/2) = log 3.
    assert grade_figures(patients, FAST)["calibration_intercept"].value == pytest.approx(np.log(3))


def test_votes_are_no_probabilities() -> None:
    votes = [GradedPatient(1, 1, Votes((1, 3), 0, 0)), GradedPatient(0, 0, Votes((3, 1), 0, 0))]
    assert "brier" not in grade_figures(votes, FAST)
    assert "brier" in grade_figures([patient(1, None), patient(0, 0.2)], FAST)
