"""Intervals against SciPy's distributions, formulas written out, scikit-learn's weighted metrics and plain loops."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from gliobench.scoring import intervals
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import (
    AGRESTI_COULL,
    BOUNDED,
    LOG_T,
    MEAN,
    NO_SPREAD,
    POSITIVE,
    REAL,
    Bootstrap,
    T,
    agresti_coull,
)
from gliobench.scoring.votes import GradedPatient, Votes, most_votes

MANY = Bootstrap(resamples=40_000)


@pytest.mark.parametrize(("count", "total"), [(81, 263), (15, 148), (0, 20), (29, 29)])
def test_agresti_coull_written_out(count: int, total: int) -> None:
    """Agresti and Coull (1998): Wald's interval after z²/2 successes and as many failures, cut at 0 and 1."""
    z = 1.959963984540054
    middle = (count + z**2 / 2) / (total + z**2)
    half = z * math.sqrt(middle * (1 - middle) / (total + z**2))
    figure = agresti_coull(count, total, total, "")
    expected = count / total, max(middle - half, 0), min(middle + half, 1)
    assert (figure.value, figure.low, figure.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("right", "n"), [(3, 12), (9, 12), (50, 60)])
def test_the_bounded_mean_of_right_and_wrong_is_jeffreys_interval(right: int, n: int) -> None:
    (figure,) = MANY.means((np.arange(n) < right)[:, None].astype(float), [MEAN])
    expected = stats.beta.ppf([0.025, 0.975], right + 0.5, n - right + 0.5)
    assert (figure.low, figure.high) == pytest.approx(tuple(expected), abs=0.005)
    assert figure.interval.startswith(BOUNDED)


def test_bounded_means_have_half_a_patient_at_each_end() -> None:
    """Other weights, of the patients and of two more values at 0 and 1, give the same interval."""
    values = np.random.default_rng(0).beta(14, 2, 12)
    weights = np.random.default_rng(1).gamma([*np.ones(12), 0.5, 0.5], size=(40_000, 14))
    drawn = weights @ [*values, 0.0, 1.0] / weights.sum(axis=1)
    (figure,) = MANY.means(values[:, None], [MEAN])
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.005)


def test_bounded_means_keep_to_their_scale_and_hold_their_value() -> None:
    """A perfect model of 12 patients: up to 1, and down to where Jeffreys's interval ends."""
    perfect, none = MANY.means(np.array([[1.0, 0.0]] * 12), [MEAN, MEAN])
    assert (perfect.value, perfect.high, none.low) == (1, 1, 0)
    assert perfect.low == pytest.approx(stats.beta.ppf(0.025, 12.5, 0.5), abs=0.005)


def test_t_equals_scipys_and_on_a_logarithmic_scale_a_sum_by_hand() -> None:
    """1, 2 and 3: mean 2, standard error 1/sqrt(3), t 4.302653; exp(4.302653 / (2 sqrt(3))) = 3.4627."""
    values = np.array([[1.0], [2.0], [3.0]])
    (figure,) = Bootstrap().means(values, [POSITIVE])
    assert (figure.low, figure.high) == pytest.approx((2 / 3.4627, 2 * 3.4627), abs=1e-3)
    assert figure.interval.startswith(LOG_T)
    (figure,) = Bootstrap().means(values, [POSITIVE.difference])
    expected = stats.ttest_1samp(values[:, 0], 0).confidence_interval()
    assert (figure.low, figure.high) == pytest.approx((expected.low, expected.high))
    assert figure.interval.startswith(T)


def test_values_beyond_their_scale_are_taken_for_no_proportion() -> None:
    values = np.array([[0.5], [1.5], [0.2]])
    assert Bootstrap().means(values, [MEAN]) == Bootstrap().means(values, [REAL])


def patients(seed: int, n: int, lgg: int) -> list[GradedPatient]:
    random = np.random.default_rng(seed)
    made = []
    for place in range(n):
        truth = int(place >= lgg)
        votes = Votes((int(random.integers(1, 20 - 6 * truth)), int(random.integers(1, 14 + 6 * truth))), 0, 0)
        made.append(GradedPatient(truth, most_votes(votes), votes))
    return made


def test_grade_figures_weigh_as_scikit_learn_does() -> None:
    """The vectorised AUC, F1 and balanced accuracy of every resample, against scikit-learn's with the same weights.

    The ends of the scale count half a patient beside the patients that a metric is a mean over: those of the rarer
    class, of F1 those who have or were called the positive one."""
    made = patients(0, 30, 9)
    truth, called = (np.array([getattr(one, name) for one in made]) for name in ("truth", "predicted"))
    score = np.array([one.scores[1] for one in made])
    figures = grade_figures(made, Bootstrap(resamples=60, seed=3))
    for name, peer, answer, over in (
        ("balanced_accuracy", balanced_accuracy_score, called, 9),
        ("f1", f1_score, called, int((truth | called).sum())),
        ("auc", roc_auc_score, score, 9),
    ):
        drawn = [peer(truth, answer, sample_weight=one) for one in intervals.dirichlet_weights(30, 60, 3)]
        inside, _, top = intervals._end_shares(over, 0.5, 60, 3).T
        expected = np.quantile(inside * drawn + top, [0.025, 0.975])
        assert (figures[name].low, figures[name].high) == pytest.approx(tuple(expected), abs=1e-9), name


def test_same_seed_same_interval_and_columns_do_not_mix() -> None:
    values, scales = np.random.default_rng(0).random((20, 3)), [MEAN, REAL, MEAN]
    together = Bootstrap(resamples=300).means(values, scales)
    alone = [Bootstrap(resamples=300).means(values[:, [n]], [scale])[0] for n, scale in enumerate(scales)]
    assert together == alone
    assert Bootstrap(resamples=300, seed=1).means(values, scales) != together


def test_what_the_interval_column_says() -> None:
    assert Bootstrap().means(np.full((9, 1), 2.5), [POSITIVE])[0].interval == NO_SPREAD
    for scale in (MEAN, POSITIVE):
        (one,) = Bootstrap().means(np.array([[0.4]]), [scale])
        assert (one.value, one.reason) == (0.4, "n=1")
        assert np.isnan([one.low, one.high]).all()
    assert agresti_coull(1, 1, 1, "").reason == "n=1"
    few_lgg = grade_figures(patients(1, 8, 2), Bootstrap(resamples=300))
    assert few_lgg["auc"].interval.startswith(BOUNDED), "every resample has both grades"
    assert few_lgg["specificity"].interval.startswith(AGRESTI_COULL)


def test_a_figure_that_no_resample_has_keeps_its_value_and_gets_no_interval() -> None:
    def only_of_everybody(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where((weights == 1).all(axis=1, keepdims=True), 0.75, np.nan)

    (figure,) = Bootstrap(resamples=2).figures(only_of_everybody, 5, [REAL])
    assert (figure.value, figure.reason) == (0.75, "no resample has a value")
    assert np.isnan([figure.low, figure.high]).all()
