"""Power laws that were made by hand are found again, and curves cross where they do on paper."""

import math

import numpy as np
import pytest

from gliobench.scoring.figures import grade_figures
from gliobench.scoring.graded import Graded
from gliobench.scoring.intervals import MEAN, Bootstrap
from gliobench.scoring.learning_curve import (
    AHEAD,
    NEVER,
    Measured,
    Resamples,
    Sized,
    class_statistic,
    figure_interval,
    find_crossing,
    fit_law,
    interval_of,
    mean_statistic,
    resampled,
)
from gliobench.scoring.power_law import PowerLaw, fit_power_law
from gliobench.scoring.registry import named
from gliobench.scoring.votes import GradedPatient, Votes

SIZES = [5.0, 10.0, 20.0, 40.0, 80.0]


@pytest.mark.parametrize(("best", "a", "b", "c"), [(1.0, 0.1, 0.8, 0.5), (0.0, 3.0, 40.0, 1.2), (1.0, 0.0, 0.6, 0.3)])
def test_a_law_made_by_hand_is_found_again(best: float, a: float, b: float, c: float) -> None:
    values = np.array([best - a - b * n**-c if best else a + b * n**-c for n in SIZES])
    law = fit_power_law(SIZES, values, best)
    assert law is not None
    assert (law.a, law.b, law.c) == pytest.approx((a, b, c), abs=1e-3)
    assert law.limit == pytest.approx(abs(best - a), abs=1e-3)
    assert float(law.at(20)) == pytest.approx(values[2], abs=1e-6)
    assert not law.fault


def test_no_value_beyond_the_best_is_foretold() -> None:
    law = fit_power_law(SIZES, np.array([0.2, 0.5, 0.8, 0.95, 0.999]), 1.0)
    assert law is not None
    assert law.limit <= 1


def test_a_falling_curve_three_sizes_and_a_step_have_no_law() -> None:
    falling = fit_power_law(SIZES, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), 1.0)
    assert falling is not None
    assert falling.fault
    assert fit_power_law(SIZES[:3], np.array([0.5, 0.6, 0.7]), 1.0) is None
    assert fit_power_law(SIZES, np.array([0.5, 0.6, 0.7, math.nan, math.nan]), 1.0) is None
    step = fit_power_law(SIZES, np.array([0.5, 0.9, 0.9, 0.9, 0.9]), 1.0)
    assert step is not None
    assert step.fault


def test_a_law_has_the_interval_of_its_resamples() -> None:
    def values(a: float) -> list[float]:
        return list(map(float, PowerLaw(a, 0.8, 0.5, 1.0).at(np.array(SIZES))))

    law = fit_law(
        SIZES, np.array([values(0.1), *(values(0.05) for _ in range(50)), *(values(0.15) for _ in range(50))]), 1.0
    )
    assert (law.limit.value, law.limit.low, law.limit.high) == pytest.approx((0.9, 0.85, 0.95), abs=1e-3)
    assert law.exponent.value == pytest.approx(0.5, abs=1e-3)
    assert (law.patients, law.doubled.value) == pytest.approx((160, 0.9 - 0.8 / math.sqrt(160)), abs=1e-3)
    assert law.at == pytest.approx(values(0.1), abs=1e-3)
    assert law.failed == 0


def test_a_crossing_by_hand() -> None:
    # 0.1 behind at 4 and 0.1 ahead at 16: half the way on a logarithmic axis is 8. At 4, a quarter of the way is
    # 4 * 4^(1/4); never: behind at 64.
    ahead = np.array([[-0.1, 0.1, 0.2], [-0.1, 0.3, 0.2], [0.1, 0.1, 0.1], [0.1, 0.1, -0.1]])
    found = find_crossing([4, 16, 64], ahead)
    assert found.at.value == pytest.approx(8)
    assert (found.at.low, found.at.high) == (AHEAD, NEVER)
    assert found.share == pytest.approx(2 / 3)
    assert (found.smallest, found.largest) == (4, 64)
    (once,) = (find_crossing([4, 16, 64], ahead[[1, 1]]),)
    assert once.at.value == once.at.low == once.at.high == pytest.approx(4 * 4**0.25)


def test_a_crossing_is_the_last_one() -> None:
    row = np.array([0.1, -0.1, 0.1])
    assert find_crossing([1, 10, 100], np.array([row, row])).at.value == pytest.approx(10**1.5)


def test_repeats_count_as_patients_do() -> None:
    """Two repeats of 0.4 and 0.6 without any spread over patients: two draws of them give 0.4, 0.5 and 0.6."""
    repeats = (mean_statistic({"A": value, "B": value}, "AB") for value in (0.4, 0.6))
    curve = [Sized(5, tuple(Measured(statistic, 2) for statistic in repeats))]
    values = resampled(curve, Resamples(2))[:, 0]
    assert values[0] == pytest.approx(0.5)
    assert set(np.round(values, 12)) == {0.4, 0.5, 0.6}
    assert np.mean(np.round(values[1:], 12) == 0.5) == pytest.approx(0.5, abs=0.06)
    found = interval_of(values)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.4, 0.6))


def test_a_value_has_the_interval_of_the_studys_own_tables() -> None:
    values = {"A": 0.2, "B": 0.9, "C": 1.0, "D": 0.7}
    one = Sized(5, (Measured(mean_statistic(values, "ABCD"), 4),))
    resamples = Resamples(4)
    found = figure_interval(resampled([one], resamples)[:, 0], one, MEAN, resamples.seed)
    (own,) = Bootstrap(resamples.count, resamples.seed).means(np.array([*values.values()])[:, None], [MEAN])
    assert (found.value, found.low, found.high) == pytest.approx((own.value, own.low, own.high), abs=5e-3)


def test_a_patient_without_a_value_counts_nowhere() -> None:
    statistic = mean_statistic({"A": 1.0, "B": math.nan, "C": 3.0}, "ABCD")
    assert statistic(np.array([[1.0, 1, 1, 1], [3, 5, 1, 0]])).tolist() == [2, 1.5]


def test_classes_have_the_figures_of_the_studys_own_scores() -> None:
    truth, scores = [0, 1, 1, 0, 1, 0], [0.2, 0.9, 0.4, 0.5, 0.7, 0.1]
    patients = [
        GradedPatient(grade, int(score >= 0.5), Votes((1, 1), 0, 0, (1 - score, score)))
        for grade, score in zip(truth, scores, strict=True)
    ]
    expected = grade_figures(patients, Bootstrap(resamples=2))
    whose = list("abcdef")
    for name in ("auc", "balanced_accuracy"):
        statistic = class_statistic(named(name), Graded.of(patients), whose, sorted(whose))  # type: ignore[arg-type]
        assert statistic(np.ones((1, 6)))[0] == pytest.approx(expected[name].value)
