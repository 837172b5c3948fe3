"""Net benefit by hand, against the package dcurves, and only where a model gives probabilities."""

import numpy as np
import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.scoring.decision_curve import COLUMNS, THRESHOLDS, decision_curves, net_benefits
from gliobench.scoring.intervals import Bootstrap

FAST = Bootstrap(resamples=400)
TRUTH = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0], dtype=bool)
PROBABILITY = np.array([0.93, 0.81, 0.66, 0.42, 0.30, 0.07, 0.12, 0.30, 0.55, 0.71, 0.88, 0.20])
WHOSE = [str(number) for number in range(len(TRUTH))]
# `dcurves.dca` of the Python package dcurves 1.1.7 on these twelve patients: threshold, model, treat all.
DCURVES = {
    0.05: (0.473684, 0.473684),
    0.10: (0.453704, 0.444444),
    0.25: (0.416667, 0.333333),
    0.30: (0.392857, 0.285714),
    0.50: (0.166667, 0.000000),
    0.60: (0.208333, -0.250000),
    0.75: (0.250000, -1.000000),
    0.90: (0.083333, -4.000000),
}


def values(truth: np.ndarray, probability: np.ndarray, thresholds: list[float]) -> list[float]:
    whose = [str(number) for number in range(len(truth))]
    return [one.value for one in net_benefits(truth, probability, whose, FAST, np.array(thresholds))]


def test_net_benefit_by_hand() -> None:
    truth, probability = np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1])
    # At 0.25 two true positives and one false one, which costs a third; at 0.5 one of each; at 0.75 one true positive.
    assert values(truth, probability, [0.25, 0.5, 0.75]) == pytest.approx([2 / 4 - 1 / 4 / 3, 0, 1 / 4])


def test_net_benefit_equals_that_of_dcurves() -> None:
    thresholds = list(DCURVES)
    assert values(TRUTH, PROBABILITY, thresholds) == pytest.approx([one for one, _ in DCURVES.values()], abs=1e-6)
    assert values(TRUTH, np.ones(12), thresholds) == pytest.approx([one for _, one in DCURVES.values()], abs=1e-6)


def test_a_patient_with_two_scans_weighs_as_one() -> None:
    truth, probability = np.array([True, False, False]), np.array([0.9, 0.9, 0.1])
    (found,) = net_benefits(truth, probability, ["A", "B", "B"], FAST, np.array([0.5]))
    assert found.value == pytest.approx((1 - 0.5) / 2)


def test_intervals_hold_the_value_and_no_failure_among_few_is_not_certainty() -> None:
    perfect = net_benefits(TRUTH, TRUTH.astype(float), WHOSE, FAST, np.array([0.2, 0.8]))
    for figure, odds in zip(perfect, (0.25, 4), strict=True):
        assert figure.value == pytest.approx(0.5)
        assert -odds <= figure.low < 0.5 < figure.high <= 1


def votes(problem: Problem, scores: dict[str, np.ndarray], truth: np.ndarray) -> pd.DataFrame:
    subjects = [f"P{number}" for number in range(len(truth))]
    alike = {"model": "net", "plane": "volume", "subject": subjects, "patient": subjects, "grade": truth}
    return pd.DataFrame(alike | scores)


def summary(*metrics: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(model, "volume", metric) for model, metric in metrics], columns=["model", "plane", "metric"])


def test_only_models_with_probabilities_have_a_curve() -> None:
    table = decision_curves(
        summary(("net", "brier"), ("net", "accuracy"), ("voter", "accuracy")),
        votes(GLIOMA, {"score": PROBABILITY}, TRUTH.astype(int)),
        GLIOMA,
        FAST,
    )
    assert tuple(table.columns) == COLUMNS
    assert set(table["model"]) == {"net"}
    assert table["threshold"].tolist() == THRESHOLDS.tolist()
    assert set(table["n_subjects"]) == {12}
    rows = table.set_index("threshold")
    for threshold, (own, everybody) in DCURVES.items():
        assert rows.loc[threshold, ["net_benefit", "treat_all"]].tolist() == pytest.approx([own, everybody], abs=1e-6)
    assert (table["low"] <= table["net_benefit"]).all()
    assert (table["net_benefit"] <= table["high"]).all()


def test_of_three_classes_the_positive_one_against_the_others() -> None:
    three = {"name": "three", "classes": ("a", "b", "c"), "images": GLIOMA.images}
    problem = Problem(**three, positive="b")
    scores = {f"score_{name}": np.full(12, 0.1) for name in "ac"} | {"score_b": PROBABILITY}
    table = votes(problem, scores, np.where(TRUTH, 1, 2))
    found = decision_curves(summary(("net", "brier")), table, problem, FAST).set_index("threshold")
    assert found.loc[0.25, "net_benefit"] == pytest.approx(DCURVES[0.25][0], abs=1e-6)
    assert set(found["class"]) == {"b"}
    assert decision_curves(summary(("net", "brier")), table, Problem(**three), FAST).empty
