"""Intervals against published examples, statsmodels' source, SciPy's bootstrap and a plain loop."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from gliobench.scoring import intervals
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import BCA, NO_SPREAD, PERCENTILE_OF_DEFINED, Bootstrap, wilson
from gliobench.scoring.votes import GradedPatient, Votes, most_votes


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3 (score without correction)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_of_newcombes_examples(count: int, total: int, low: float, high: float) -> None:
    figure = wilson(count, total, total, "")
    assert (figure.value, figure.low, figure.high) == pytest.approx((count / total, low, high), abs=5e-5)


def test_means_equal_scipys_bca() -> None:
    """Two sets of 40,000 resamples: the ends agree within what another seed changes."""
    values = np.random.default_rng(0).gamma(1.5, 10, (55, 1))  # skewed, as distances are
    (figure,) = Bootstrap(resamples=40_000).means(values)
    expected = stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    assert figure.interval == BCA
    assert figure.value == pytest.approx(values.mean())
    assert (figure.low, figure.high) == pytest.approx((expected.low, expected.high), abs=0.02 * width)


def patients(seed: int, n: int, lgg: int) -> list[GradedPatient]:
    random = np.random.default_rng(seed)
    made = []
    for place in range(n):
        truth = int(place >= lgg)
        votes = Votes((int(random.integers(1, 20 - 6 * truth)), int(random.integers(1, 14 + 6 * truth))), 0, 0)
        made.append(GradedPatient(truth, most_votes(votes), votes))
    return made


def test_grade_figures_resample_as_a_plain_loop_does() -> None:
    """The vectorised AUC, F1 and balanced accuracy of every resample, against scikit-learn on the drawn patients."""
    made = patients(0, 30, 9)
    truth, called = (np.array([getattr(one, name) for one in made]) for name in ("truth", "predicted"))
    score = np.array([one.scores[1] for one in made])
    bootstrap = Bootstrap(resamples=200, seed=3)
    drawn = intervals._weights(30, 200, 3).astype(int)
    figures = grade_figures(made, bootstrap)
    for name, peer, answer in (
        ("balanced_accuracy", balanced_accuracy_score, called),
        ("f1", f1_score, called),
        ("auc", roc_auc_score, score),
    ):
        values = [peer(np.repeat(truth, weights), np.repeat(answer, weights)) for weights in drawn]
        tails = _bca(peer(truth, answer), np.array(values), np.array(
            [peer(np.delete(truth, one), np.delete(answer, one)) for one in range(30)]
        ))  # fmt: skip
        assert (figures[name].low, figures[name].high) == pytest.approx(tuple(np.quantile(values, tails)), abs=1e-9)


def _bca(value: float, drawn: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Efron and Tibshirani, An Introduction to the Bootstrap (1993), equations 14.10, 14.14 and 14.15, ties halved."""
    drawn, value = np.round(drawn, 10), round(value, 10)
    bias = stats.norm.ppf(np.mean(drawn < value) + np.mean(drawn == value) / 2)
    deviation = left_out.mean() - left_out
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    shifted = bias + stats.norm.ppf([0.025, 0.975])
    return np.asarray(stats.norm.cdf(bias + shifted / (1 - acceleration * shifted)))


def test_same_seed_same_interval_and_columns_do_not_mix() -> None:
    values = np.random.default_rng(0).random((20, 3))
    together = Bootstrap(resamples=300).means(values)
    alone = [Bootstrap(resamples=300).means(values[:, [column]])[0] for column in range(3)]
    assert together == alone
    assert Bootstrap(resamples=300, seed=1).means(values) != together


def test_what_the_interval_column_says() -> None:
    assert Bootstrap(resamples=300).means(np.full((9, 1), 0.1))[0].interval == NO_SPREAD
    (one,) = Bootstrap().means(np.array([[0.4]]))
    assert (one.value, one.reason) == (0.4, "n=1")
    assert np.isnan([one.low, one.high]).all()
    assert wilson(1, 1, 1, "").reason == "n=1"
    few_lgg = grade_figures(patients(1, 8, 2), Bootstrap(resamples=300))
    assert few_lgg["auc"].interval == PERCENTILE_OF_DEFINED
    assert few_lgg["specificity"].interval == "Wilson"


def test_a_figure_that_no_resample_has_keeps_its_value_and_gets_no_interval() -> None:
    def only_of_everybody(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where((weights == 1).all(axis=1, keepdims=True), 0.75, np.nan)

    (figure,) = Bootstrap(resamples=2).figures(only_of_everybody, 5)
    assert (figure.value, figure.reason) == (0.75, "no resample has a value")
    assert np.isnan([figure.low, figure.high]).all()
