"""The minimum detectable difference between two models, at 80 % power."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.power import TTestPower

ALPHA = 0.05
POWER = 0.8


def smallest_mean(differences: NDArray[np.float64]) -> float:
    """The minimum detectable mean difference of a paired t test with power 0.8.

    `differences`: (patients,), a minus b; their standard deviation is taken as the population's. NaN where it is 0 or
    where there are fewer than two patients.
    """
    if len(differences) < 2 or not np.ptp(differences) > 0:
        return float("nan")
    return _smallest_effect(len(differences)) * float(np.std(differences, ddof=1))


def smallest_normal(standard_error: float) -> float:
    """The same for an approximately normal difference: (z_0.975 + z_0.8) standard errors; NaN for one of 0."""
    if not standard_error > 0:
        return float("nan")
    return float(stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER)) * standard_error


def smallest_share(n: int, disagreeing: int) -> float:
    """The minimum detectable difference of two proportions of `n` patients by exact McNemar with power 0.8.

    `disagreeing`: on how many patients only one of the two models was right; that proportion is taken as the
    population's, and where the difference is larger, all disagreement as one-sided. NaN where no difference is large
    enough.
    """

    def lacking(difference: float) -> float:
        return mcnemar_power(n, max(disagreeing / n, difference), difference) - POWER

    if n == 0 or lacking(1.0) < 0:
        return float("nan")
    return float(brentq(lacking, 0.0, 1.0, xtol=1e-6))


def mcnemar_power(n: int, disagreement: float, difference: float) -> float:
    """The exact power of two-sided exact McNemar (Schork and Williams 1980), averaged over the number of disagreements.

    `disagreement`: the probability that only one model is right; `difference`: that only a is, minus that only b is.
    """
    if disagreement == 0:
        return 0.0
    disagreeing = np.arange(n + 1)
    # The largest count on the less frequent side with 2 P(X <= count) <= alpha; -1 where there is none.
    most = stats.binom.ppf(ALPHA / 2, disagreeing, 0.5)
    most -= 2 * stats.binom.cdf(most, disagreeing, 0.5) > ALPHA
    share_a = (1 + difference / disagreement) / 2
    rejected = stats.binom.cdf(most, disagreeing, share_a)
    rejected += stats.binom.sf(disagreeing - most - 1, disagreeing, share_a)
    return float(stats.binom.pmf(disagreeing, n, disagreement) @ rejected)


@cache
def _smallest_effect(n: int) -> float:
    """In standard deviations."""
    return float(TTestPower().solve_power(effect_size=None, nobs=n, alpha=ALPHA, power=POWER))
