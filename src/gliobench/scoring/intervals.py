"""95 % intervals over patients, chosen by simulation: `docs/scoring.md`, `benchmarks/coverage.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import fsum, inf

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from gliobench.scoring.coverage import beside

LEVEL = 0.95
DIGITS = 10  # of resamples
BOUNDED = "Bayesian bootstrap over patients with its ends"
BOOTSTRAP = "Bayesian bootstrap over patients"
T = "t over patients"
LOG_T = "log-t over patients"
NO_SPREAD = "none (all patients equal)"
AGRESTI_COULL = "Agresti-Coull"

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Scale:
    """The values that a figure can have, from `low` to `high`.

    `kind`: which of the simulated figures it is, empty for none of them. `ends`: how many patients' weight each end of
    a bounded scale has in the bootstrap, for what these patients did not show.
    """

    kind: str
    low: float = -inf
    high: float = inf
    ends: float = 0.5

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite([self.low, self.high]).all())

    @property
    def positive(self) -> bool:
        return self.low == 0 and not self.bounded

    @property
    def difference(self) -> "Scale":
        """That of the difference of two such figures. Half the weight at the ends covers there, except for shares."""
        kind = f"difference of {self.kind}" if self.kind else ""
        return Scale(kind, self.low - self.high, self.high - self.low, self.ends if self == SHARE else self.ends / 2)

    def holds(self, values: Floats) -> bool:
        return bool((values >= self.low).all() and (values <= self.high).all())


MEAN = Scale("means", 0, 1)
POSITIVE = Scale("distances", 0)
SHARE = Scale("shares", 0, 1)
AREA = Scale("AUCs", 0, 1)  # under the curve
CLASSES = Scale("class metrics", 0, 1)
REAL = Scale("")


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; `interval` is its method with its simulated coverage, `reason` why value or
    interval is not defined (NaN)."""

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


def agresti_coull(count: int, total: int, n: int, reason: str) -> Figure:
    """`count` of `total` patients with the interval of Agresti and Coull (1998; statsmodels); undefined where a
    `reason` is given.

    `n`: all patients of the table: one alone gets no interval.
    """
    if reason:
        return undefined(reason)
    if n < 2:
        return without_interval(count / total, f"n={n}")
    low, high = share_ends(count, total)
    return Figure(count / total, low, high, beside(AGRESTI_COULL, SHARE.kind, total))


def share_ends(count: int, total: int) -> tuple[float, float]:
    """The interval of `count` of `total`."""
    low, high = proportion_confint(count, total, alpha=1 - LEVEL, method="agresti_coull")
    return round(float(low), 12), round(float(high), 12)


@dataclass(frozen=True, eq=False)
class Scans:
    """The patients of scans. `place`: (scans,) int, its patient's number from 0; `share`: (scans,) float, its part of
    the patient's weight."""

    place: NDArray[np.intp]
    share: Floats

    @staticmethod
    def of(whose: Sequence[str]) -> "Scans":
        """Patients numbered in the order of their first scans."""
        numbers = {patient: number for number, patient in enumerate(dict.fromkeys(whose))}
        place = np.array([numbers[patient] for patient in whose], dtype=np.intp)
        return Scans(place, 1 / np.bincount(place)[place])

    @property
    def patients(self) -> int:
        return int(self.place.max(initial=-1)) + 1

    def patients_in(self, scans: NDArray[np.bool_]) -> int:
        """How many patients have one of these `scans` (scans,)."""
        return len(np.unique(self.place[scans]))

    def weights(self, drawn: Floats) -> Floats:
        """The weight of every scan (resamples, scans), from that of each patient (resamples, patients)."""
        weights: Floats = drawn[:, self.place] * self.share
        return weights


@dataclass(frozen=True)
class Bootstrap:
    """A Bayesian bootstrap over patients (Rubin 1981): how many resamples, and the seed they are drawn with.

    A resample gives every patient a weight, from a flat Dirichlet distribution. On a bounded scale each end has a
    weight too, as of half a patient: of right and wrong that is Jeffreys's interval, and with a whole patient it would
    be Gaffke's (2005), which always covers. All figures over the same number of patients use the same resamples.
    """

    resamples: int = 10_000
    seed: int = 0

    def means(self, values: Floats, scales: Sequence[Scale]) -> list[Figure]:
        """The mean over patients of each column of (patients, columns) values, one scale each: on a bounded scale by
        the bootstrap, else from Student's t. Of values beyond its scale nothing is taken for granted."""
        n = len(values)
        scales = [one if one.holds(column) else REAL for one, column in zip(scales, values.T, strict=True)]
        bounded = values[:, [one.bounded for one in scales]]
        drawn = iter(
            self.figures(
                lambda weights: weights @ bounded / weights.sum(axis=1, keepdims=True),
                n,
                [one for one in scales if one.bounded],
            )
        )
        # The exact sum does not depend on the order or on other columns.
        exact = [(column, fsum(column) / n, scale) for column, scale in zip(values.T, scales, strict=True)]
        return [
            _of_value(next(drawn), mean) if scale.bounded else _student(column, mean, scale)
            for column, mean, scale in exact
        ]

    def figures_of_scans(
        self, statistic: Statistic, whose: Sequence[str], scales: Sequence[Scale], over: Sequence[int]
    ) -> list[Figure]:
        """As `figures`, where `statistic` takes weights (resamples, scans) of the scans of the patients `whose`: whole
        patients are weighted, and their weight divided evenly among their scans."""
        scans = Scans.of(whose)
        return self.figures(lambda weights: statistic(scans.weights(weights)), scans.patients, scales, over)

    def figures(
        self, statistic: Statistic, n: int, scales: Sequence[Scale], over: Sequence[int] | None = None
    ) -> list[Figure]:
        """The figures of `statistic` over `n` patients, one scale each.

        `statistic`: from weights (resamples, n) of patients, n in all, to values (resamples, figures), NaN where there
        is none. `over`: of how many patients each is a mean, such as those of the rarer class of an AUC; n where None.
        """
        value = statistic(np.ones((1, n)))[0]
        if n < 2:
            return [without_interval(float(one), f"n={n}") for one in value]
        drawn = statistic(dirichlet_weights(n, self.resamples, self.seed))
        over = over or [n] * len(scales)
        return [
            self._figure(float(one), resampled, scale, count, n)
            for one, resampled, scale, count in zip(value, drawn.T, scales, over, strict=True)
        ]

    def _figure(self, value: float, drawn: Floats, scale: Scale, over: int, n: int) -> Figure:
        if np.isnan(value):
            return undefined("no value for these patients")
        if scale.bounded:
            drawn = with_ends(drawn, scale, over, self.seed)
        drawn = np.round(drawn[~np.isnan(drawn)], DIGITS)  # sums in another order differ in the last digits
        if not len(drawn):
            return without_interval(value, "no resample has a value")
        low, high = (float(end) for end in np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        method = NO_SPREAD if low == high else beside(BOUNDED if scale.bounded else BOOTSTRAP, scale.kind, n)
        return _of_value(Figure(value, low, high, method), value)


@cache
def dirichlet_weights(n: int, resamples: int, seed: int) -> Floats:
    """(resamples, n) the weights of a Bayesian bootstrap, n in all."""
    return np.random.default_rng(seed).dirichlet(np.ones(n), resamples) * n


def with_ends(drawn: Floats, scale: Scale, over: int, seed: int) -> Floats:
    """Resamples (n,) of a mean `over` so many patients on a bounded scale, each with a draw of the ends' weight."""
    patients, low, high = _end_shares(over, scale.ends, len(drawn), seed).T
    whole: Floats = patients * drawn + low * scale.low + high * scale.high
    return whole


@cache
def _end_shares(over: int, ends: float, resamples: int, seed: int) -> Floats:
    """(resamples, 3): the weight of the patients and of the scale's two ends; independent of `dirichlet_weights`."""
    return np.random.default_rng([seed, 1]).dirichlet([over, ends, ends], resamples)


def _of_value(figure: Figure, value: float) -> Figure:
    """With this value, and it inside the interval: the quantiles stay a little short of an end of the scale."""
    if np.isnan(figure.low):
        return replace(figure, value=value)
    return replace(figure, value=value, low=min(figure.low, value), high=max(figure.high, value))


def _student(values: Floats, mean: float, scale: Scale) -> Figure:
    """Student's t; of a mean that cannot be negative on a logarithmic scale, where its error is less skewed (delta
    method)."""
    n = len(values)
    if np.isnan(mean):
        return undefined("no value for these patients")
    if n < 2:
        return without_interval(mean, f"n={n}")
    error = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * float(np.std(values, ddof=1)) / np.sqrt(n)
    if not np.ptp(values) > 0:
        return Figure(mean, mean, mean, NO_SPREAD)
    if scale.positive:
        factor = float(np.exp(error / mean))
        return Figure(mean, mean / factor, mean * factor, beside(LOG_T, scale.kind, n))
    return Figure(mean, mean - error, mean + error, beside(T, scale.kind, n))
