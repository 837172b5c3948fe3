"""Paired tests and their power against published figures, SciPy, statsmodels, scikit-learn and full enumeration."""

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower

from gliobench.scoring.intervals import MEAN, POSITIVE, Bootstrap, T
from gliobench.scoring.paired import Calls, delong, grade_differences, mean_differences, share_difference
from gliobench.scoring.power import mcnemar_power, smallest_mean, smallest_normal, smallest_share
from gliobench.scoring.sentences import sentence

QUICK = Bootstrap(resamples=1000)

# 43 patients with ovarian cancer, of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), 837-845, as printed in
# SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing Receiver Operating Characteristic Curves":
# albumin, total protein, K-G score, benefit.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def test_delong_of_the_ovarian_cancer_example() -> None:
    """Areas, and the contrasts with the K-G score, as SAS prints them."""
    albumin, protein, kg, benefit = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    truth = benefit == 1
    for score, area, difference, error, p in (
        (albumin, 0.7366, 0.0108, 0.0953, 0.9102),
        (protein, 0.6478, -0.0780, 0.1046, 0.4561),
    ):
        found, reference, standard_error = delong(truth, score, 10 - kg)
        assert (found, reference) == pytest.approx((area, 0.7258), abs=5e-5)
        assert (found - reference, standard_error) == pytest.approx((difference, error), abs=5e-5)
        calls = [Calls(score > 0, one) for one in (score, 10 - kg)]
        assert grade_differences(truth, *calls, QUICK, 1000)["auc"].p == pytest.approx(p, abs=5e-5)


def test_delong_equals_the_jackknife_within_grades() -> None:
    """The same variance by leaving out one patient after the other and asking scikit-learn for the areas."""
    random = np.random.default_rng(2)
    truth = np.arange(30) >= 9
    a, b = np.round(random.normal(truth, 1), 1), np.round(random.normal(truth / 2, 1), 1)  # with ties
    left_out = np.array([
        np.subtract(*(roc_auc_score(np.delete(truth, one), np.delete(score, one)) for score in (a, b)))
        for one in range(30)
    ])  # fmt: skip
    parts = (left_out[truth], left_out[~truth])
    variance = sum((len(part) - 1) / len(part) * ((part - part.mean()) ** 2).sum() for part in parts)
    assert delong(truth, a, b) == pytest.approx((roc_auc_score(truth, a), roc_auc_score(truth, b), variance**0.5))


def test_delong_without_spread_or_with_one_patient_of_a_grade() -> None:
    truth, right = np.array([False, False, True, True]), np.array([0.1, 0.2, 0.3, 0.4])
    same = grade_differences(truth, Calls(right > 0.25, right), Calls(right > 0.25, right * 2), QUICK, 1000)["auc"]
    assert (same.p, same.value_a, same.value_b) == (1.0, 1.0, 1.0)
    assert np.isnan(same.smallest_detectable)
    opposite = grade_differences(truth, Calls(right > 0.25, right), Calls(right < 0.25, -right), QUICK, 1000)["auc"]
    # Of the 16 swaps of ranks 1 2 3 4 and 4 3 2 1 only none and all leave one order right and the other wrong.
    assert (opposite.p, opposite.test) == (2 / 16, "paired permutation (exact)")
    assert np.isnan(delong(np.array([False, True, True]), right[:3], right[:3])[2])


def test_a_perfect_order_and_a_constant_are_told_apart() -> None:
    truth = np.arange(40) % 2 == 0
    perfect, constant = Calls(truth, truth.astype(float)), Calls(np.ones(40, dtype=bool), np.full(40, 0.8))
    found = grade_differences(truth, perfect, constant, QUICK, 1000)["auc"]
    assert (found.p, found.test) == (pytest.approx(1 / 1001), "paired permutation (1,000 resamples)")
    said = sentence(("perfect", "constant"), "auc", found, found.p, 1, ())
    assert said.startswith("difference shown: perfect is higher than constant by 0.50 (0.")
    assert said.endswith("n=40, p=0.001")


def test_mean_differences_equal_scipys_permutation_by_hand_and_its_t() -> None:
    """Darwin's maize, 15 pairs (Fisher, The Design of Experiments (1935), section 21): 863 of 2**15 in each tail."""
    eighths = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    (maize,) = mean_differences(eighths[:, None], np.zeros((15, 1)), [POSITIVE], QUICK, 2**15)
    assert maize.p == pytest.approx(2 * 863 / 2**15)
    assert maize.test == "paired permutation (exact)"
    assert maize.figure.value == pytest.approx(314 / 15)
    random = np.random.default_rng(1)
    a, b = random.gamma(2, 1, (55, 2)), random.gamma(2.4, 1, (55, 2))
    found = mean_differences(a, b, [POSITIVE, POSITIVE], QUICK, 10_000)
    assert found[1].test == "paired permutation (10,000 resamples)"
    for column in range(2):
        t, figure = stats.ttest_rel(a[:, column], b[:, column]), found[column].figure
        expected = t.confidence_interval()
        assert figure.interval.startswith(T)
        assert (figure.low, figure.high) == pytest.approx((expected.low, expected.high))
        assert found[column].p == pytest.approx(t.pvalue, abs=0.02)


def test_mcnemar_is_the_exact_permutation_of_right_and_wrong() -> None:
    a = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0], dtype=bool)
    b = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0], dtype=bool)
    found = share_difference(a, b, QUICK, "")
    assert found.p == pytest.approx(2 * (1 + 8) / 2**8)  # 7 against 1
    assert (found.n, found.value_a, found.value_b) == (12, 0.75, 0.25)
    (permuted,) = mean_differences(a[:, None].astype(float), b[:, None].astype(float), [MEAN], QUICK, 10_000)
    assert permuted.p == pytest.approx(found.p)
    assert permuted.figure.value == found.figure.value


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("balanced_accuracy", balanced_accuracy_score),
        ("precision", lambda truth, called: precision_score(truth, called, zero_division=np.nan)),
        ("f1", f1_score),
    ],
)
def test_swapped_calls_equal_all_swaps_one_by_one(name: str, peer: object) -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 1], dtype=bool)
    a = np.array([0, 0, 1, 1, 1, 1, 1, 0], dtype=bool)
    b = np.array([1, 1, 1, 1, 0, 0, 1, 0], dtype=bool)
    found = grade_differences(truth, Calls(a, a.astype(float)), Calls(b, b.astype(float)), QUICK, 1000)[name]
    sizes = []
    for swap in product([False, True], repeat=8):
        sides = np.where(swap, b, a), np.where(swap, a, b)
        sizes.append(abs(peer(truth, sides[0]) - peer(truth, sides[1])))  # type: ignore[operator]
    assert (found.value_a, found.value_b) == pytest.approx((peer(truth, a), peer(truth, b)))  # type: ignore[operator]
    assert found.p == pytest.approx(np.mean(np.array(sizes) >= sizes[0] - 1e-9))
    assert found.test == "paired permutation (exact)"


def test_interval_of_the_auc_equals_a_loop_with_its_ends() -> None:
    """Pairs in the right order with Dirichlet weights of the patients; a quarter of a patient at -1 and at 1, beside
    the 14 of the rarer grade."""
    random = np.random.default_rng(4)
    truth = np.arange(40) >= 14
    a, b = (random.normal(truth * shift, 1) for shift in (1.5, 0.8))
    figure = grade_differences(truth, Calls(a > 0.7, a), Calls(b > 0.7, b), Bootstrap(5000), 100)["auc"].figure
    weights, ends = random.dirichlet(np.ones(40), 1500), random.dirichlet([14, 0.25, 0.25], 1500)
    gained = np.subtract(*((side[truth][:, None] > side[~truth]).astype(float) for side in (a, b)))
    drawn = [one[truth] @ gained @ one[~truth] / one[truth].sum() / one[~truth].sum() for one in weights]
    low, high = np.quantile(ends[:, 0] * drawn - ends[:, 1] + ends[:, 2], [0.025, 0.975])
    assert (figure.low, figure.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_power_of_mcnemar_equals_all_tables() -> None:
    """Every split of 9 patients into only a right, only b right and the rest, each tested by statsmodels."""
    n, disagreement, difference = 9, 0.8, 0.6
    only_a, only_b = (disagreement + difference) / 2, (disagreement - difference) / 2
    expected = 0.0
    for first in range(n + 1):
        for second in range(n + 1 - first):
            rest = n - first - second
            chance = comb(n, first) * comb(n - first, second) * only_a**first * only_b**second * 0.2**rest
            expected += chance * (mcnemar([[0, first], [second, rest]], exact=True).pvalue <= 0.05)
    assert mcnemar_power(n, disagreement, difference) == pytest.approx(expected)


def test_smallest_differences() -> None:
    differences = np.random.default_rng(0).normal(0, 2, 20)
    effect = smallest_mean(differences) / differences.std(ddof=1)
    assert TTestPower().power(effect, 20, 0.05) == pytest.approx(0.8, abs=1e-6)
    assert smallest_normal(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
    for disagreeing in (0, 5, 20):
        found = smallest_share(55, disagreeing)
        assert mcnemar_power(55, max(disagreeing / 55, found), found) == pytest.approx(0.8, abs=1e-3)
    assert 6 / 55 < smallest_share(55, 0) < smallest_share(55, 20)  # fewer than 6 against 0 are never significant
    for nothing in (smallest_share(5, 3), smallest_share(0, 0), smallest_mean(np.ones(9)), smallest_mean(np.ones(1))):
        assert np.isnan(nothing)


def test_one_patient_or_one_grade_gives_no_test() -> None:
    (one,) = mean_differences(np.array([[0.5]]), np.array([[0.2]]), [MEAN], QUICK, 1000)
    assert (one.test, one.figure.reason) == ("none: n=1", "n=1")
    only = np.ones(4, dtype=bool)
    calls = Calls(only, only.astype(float))
    found = grade_differences(only, calls, calls, QUICK, 1000)
    assert found["accuracy"].p == 1
    for metric in ("specificity", "balanced_accuracy", "auc"):
        assert found[metric].test == "none: no LGG patient"
        assert np.isnan(found[metric].p)
    nobody = Calls(~only, only * 0.0)
    assert grade_differences(np.array([0, 0, 1, 1], dtype=bool), calls, nobody, QUICK, 1000)["precision"].test == (
        "none: no patient called HGG by one of the two"
    )
