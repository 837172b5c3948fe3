"""95 % intervals over patients: Wilson for proportions, a bootstrap that resamples whole patients for the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
DIGITS = 10  # of resamples
BCA = "BCa bootstrap over patients"
PERCENTILE = "percentile bootstrap over patients"
PERCENTILE_OF_DEFINED = f"{PERCENTILE} (resamples without a value left out)"
NO_SPREAD = f"{PERCENTILE} (all resamples equal)"
WILSON = "Wilson"

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; `interval` is its method, `reason` why value or interval is not defined (NaN)."""

    value: float
    low: float
    high: float
    interval: str = ""
    reason: str = ""

    def unless(self, reason: str) -> "Figure":
        """This figure, or an undefined one where a reason is given."""
        return undefined(reason) if reason else self


def undefined(reason: str) -> Figure:
    """An undefined figure."""
    return without_interval(float("nan"), reason)


def without_interval(value: float, reason: str) -> Figure:
    """A value that has no interval."""
    return Figure(value, float("nan"), float("nan"), reason=reason)


def wilson(count: int, total: int, n: int, reason: str) -> Figure:
    """`count` of `total` patients with Wilson's interval (statsmodels); undefined where a `reason` is given.

    `n`: all patients of the table: one alone gets no interval.
    """
    if reason:
        return undefined(reason)
    if n < 2:
        return without_interval(count / total, f"n={n}")
    low, high = proportion_confint(count, total, alpha=1 - LEVEL, method="wilson")
    return Figure(count / total, round(float(low), 12), round(float(high), 12), WILSON)


@dataclass(frozen=True, eq=False)
class Scans:
    """The patients of scans. `place`: (scans,) int, its patient's number from 0; `share`: (scans,) float, its part of
    the patient's weight."""

    place: NDArray[np.intp]
    share: NDArray[np.float64]

    @staticmethod
    def of(whose: Sequence[str]) -> "Scans":
        """Patients numbered in the order of their first scans."""
        numbers = {patient: number for number, patient in enumerate(dict.fromkeys(whose))}
        place = np.array([numbers[patient] for patient in whose], dtype=np.intp)
        return Scans(place, 1 / np.bincount(place)[place])

    @property
    def patients(self) -> int:
        return int(self.place.max(initial=-1)) + 1

    def weights(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weight of every scan (resamples, scans), from how often each patient was drawn (resamples, patients)."""
        weights: NDArray[np.float64] = drawn[:, self.place] * self.share
        return weights


@dataclass(frozen=True)
class Bootstrap:
    """A bootstrap over patients: how many resamples, and the seed they are drawn with.

    All figures over the same number of patients use the same resamples.
    """

    resamples: int = 10_000
    seed: int = 0

    def means(self, values: NDArray[np.float64]) -> list[Figure]:
        """The mean over patients of each column of (patients, columns) values."""
        figures = self.figures(lambda weights: weights @ values / weights.sum(axis=1, keepdims=True), len(values))
        # The exact sum does not depend on the order or on other columns.
        return [
            replace(figure, value=fsum(column) / len(values)) for figure, column in zip(figures, values.T, strict=True)
        ]

    def figures_of_scans(self, statistic: Statistic, whose: Sequence[str]) -> list[Figure]:
        """As `figures`, where `statistic` takes weights (resamples, scans) of the scans of the patients `whose`: whole
        patients are resampled with equal weights, divided evenly among their scans."""
        scans = Scans.of(whose)
        return self.figures(lambda weights: statistic(scans.weights(weights)), scans.patients)

    def figures(self, statistic: Statistic, n: int) -> list[Figure]:
        """The figures of `statistic` over `n` patients.

        `statistic`: from weights (resamples, n), how often each patient was drawn, to values (resamples, figures),
        NaN where a resample has none. BCa (Efron 1987) where it is defined, else percentile.
        """
        everybody = np.ones((1, n))
        value = statistic(everybody)[0]
        if n < 2:
            return [without_interval(float(one), f"n={n}") for one in value]
        drawn = _rounded(statistic(_weights(n, self.resamples, self.seed)))
        left_out = _rounded(statistic(1 - np.eye(n)))
        return [_figure(*columns) for columns in zip(value, drawn.T, left_out.T, strict=True)]


@cache
def _weights(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded where sums in another order differ: equal resamples must count as equal."""
    rounded: NDArray[np.float64] = np.round(values, DIGITS)
    return rounded


def _figure(value: float, drawn: NDArray[np.float64], left_out: NDArray[np.float64]) -> Figure:
    if np.isnan(value):
        return undefined("no value for these patients")
    defined = np.sort(drawn[~np.isnan(drawn)])
    if not len(defined):  # with few resamples, as where no interval is needed, all can lack a grade
        return without_interval(float(value), "no resample has a value")
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    method = PERCENTILE if len(defined) == len(drawn) else PERCENTILE_OF_DEFINED
    if defined[0] == defined[-1]:
        method = NO_SPREAD
    elif method == PERCENTILE and (adjusted := _bca_tails(value, defined, left_out, tails)) is not None:
        tails, method = adjusted, BCA
    low, high = np.quantile(defined, tails)
    return Figure(float(value), float(low), float(high), method)


def _bca_tails(
    value: float, drawn: NDArray[np.float64], left_out: NDArray[np.float64], tails: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The quantiles of the resamples, corrected for bias and acceleration; None where they are not defined."""
    place = float(np.round(value, DIGITS))
    below = (np.searchsorted(drawn, place, "left") + np.searchsorted(drawn, place, "right")) / 2 / len(drawn)
    deviation = left_out.mean() - left_out
    spread = (deviation**2).sum()
    if not (0 < below < 1 and spread > 0):
        return None
    bias = ndtri(below)
    acceleration = (deviation**3).sum() / (6 * spread**1.5)
    shifted = bias + ndtri(tails)
    stretch = 1 - acceleration * shifted
    if (stretch <= 0).any():
        return None
    adjusted: NDArray[np.float64] = ndtr(bias + shifted / stretch)
    return adjusted
