"""Learning curves: a metric after more and more training patients, and where one curve passes another.

All intervals are from the same resamples: a Bayesian bootstrap of the tested patients, as in the study's own tables,
and the repeats, which are the draws of the training patients. So differences are paired.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliobench.scoring.graded import Graded
from gliobench.scoring.grades import GradeMetric
from gliobench.scoring.intervals import LEVEL, Scale, Scans, Statistic, dirichlet_weights, with_ends
from gliobench.scoring.power_law import LEAST, fit_power_law

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
OF_METRIC, OF_CURVE, INTERVAL = ("task", "metric"), ("model", "plane"), ("value", "low", "high")
FIGURES = (*OF_METRIC, *OF_CURVE, "learns", "patients", "repeats", *INTERVAL, "law")
LAWS = (
    *(*OF_METRIC, *OF_CURVE, "fault", "failed", "twice"),
    *(f"{name}_{end}" for name, end in product(("limit", "exponent", "doubled"), INTERVAL)),
)
CROSSINGS = (*OF_METRIC, "model", "plane", "other", "other_plane", *INTERVAL, "share", "smallest", "largest")
AHEAD, NEVER = -math.inf, math.inf  # before the smallest size; not up to the largest


@dataclass(frozen=True, eq=False)
class CurveTables:
    """`figures`: a row per size of each curve, and one for each model that learns from nobody (`learns` false,
    `patients` NaN); `law`: the fitted power law's value. `laws`: of each curve, as `Law` says. `crossings`: where
    `model` passes `other`, as `Crossing` says. Their columns are `FIGURES`, `LAWS` and `CROSSINGS`."""

    figures: "pd.DataFrame"
    laws: "pd.DataFrame"
    crossings: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Measured:
    """A metric of a model as a function of weights (resamples, patients) of the tested patients; `over`: of how many of
    them it is a mean."""

    statistic: Statistic
    over: int


@dataclass(frozen=True, eq=False)
class Sized:
    """A model trained on `patients` training patients, once per repeat."""

    patients: float
    repeats: tuple[Measured, ...]


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """A fitted power law: `PowerLaw`'s limit and exponent, and the value for `patients`, twice the largest size.

    `at`: its values at the sizes. `fault`: why it could not be fitted, then all are NaN. `failed`: the part of the
    resamples in which it could not; they are in no interval.
    """

    limit: Interval
    exponent: Interval
    doubled: Interval
    patients: float
    at: tuple[float, ...]
    fault: str = ""
    failed: float = 0.0


@dataclass(frozen=True)
class Crossing:
    """From how many training patients on one curve lies above another, up to the largest size that both have.

    `AHEAD`: at every size; `NEVER`: not within these sizes. `share`: the part of the resamples in which it does so
    somewhere within them. `smallest`, `largest`: of the sizes.
    """

    at: Interval
    share: float
    smallest: float
    largest: float


@dataclass(frozen=True)
class Resamples:
    """The weight of each of `n` tested patients, and of the repeats: the same for all curves."""

    n: int
    count: int = 1000
    seed: int = 0

    def weights(self) -> Floats:
        """(count + 1, n); the first row is everybody once."""
        return np.vstack([np.ones((1, self.n)), dirichlet_weights(self.n, self.count, self.seed)])

    def repeats(self, several: int, level: int = 1) -> Floats:
        """(count + 1, several) how much each repeat counts; in the first row all alike. Another `level` draws apart."""
        places = np.random.default_rng([self.seed, level]).random((self.count, several))
        drawn = (places * several).astype(int)
        counts = np.stack([(drawn == repeat).mean(axis=1) for repeat in range(several)], axis=1)
        return np.vstack([np.full((1, several), 1 / several), counts])


def resampled(curve: Sequence[Sized], resamples: Resamples) -> Floats:
    """(count + 1, sizes) the mean over repeats at each size; the first row without resampling."""
    weights = resamples.weights()
    columns = []
    for one in curve:
        values = np.stack([repeat.statistic(weights) for repeat in one.repeats], axis=1)
        columns.append((values * resamples.repeats(len(one.repeats))).sum(axis=1))
    return np.stack(columns, axis=1)


def interval_of(values: Floats) -> Interval:
    """Of resamples (count + 1,); ends that are AHEAD or NEVER stay so. Resamples without a value are left out."""
    drawn = values[1:][~np.isnan(values[1:])]
    if not len(drawn):
        return Interval(float(values[0]), math.nan, math.nan)
    low, high = np.quantile(drawn, TAILS, method="inverted_cdf")
    return Interval(float(values[0]), float(low), float(high))


def figure_interval(values: Floats, one: Sized, scale: Scale, seed: int) -> Interval:
    """Of resamples (count + 1,) of a metric at one size; on a bounded scale with the weight of its ends, as
    `Bootstrap.figures` has it."""
    if not scale.bounded or np.isnan(values[0]):
        return interval_of(values)
    over = min(repeat.over for repeat in one.repeats)
    found = interval_of(np.append(values[0], with_ends(values[1:], scale, over, seed)))
    return Interval(found.value, min(found.low, found.value), max(found.high, found.value))


def fit_law(patients: Sequence[float], values: Floats, best: float) -> Law:
    """The power law through (count + 1, sizes) values, with its intervals over the resamples."""
    doubled = 2 * max(patients)
    first = fit_power_law(patients, values[0], best)
    if first is None or first.fault:
        nothing = Interval(math.nan, math.nan, math.nan)
        fault = first.fault if first else f"fewer than {LEAST} sizes"
        return Law(nothing, nothing, nothing, doubled, (), fault)
    laws = [first, *(fit_power_law(patients, row, best) for row in values[1:])]
    fitted = [law for law in laws if law is not None and not law.fault]
    return Law(
        interval_of(np.array([law.limit for law in fitted])),
        interval_of(np.array([law.c for law in fitted])),
        interval_of(np.array([float(law.at(doubled)) for law in fitted])),
        doubled,
        tuple(float(one) for one in first.at(np.asarray(patients))),
        failed=1 - len(fitted) / len(laws),
    )


def find_crossing(patients: Sequence[float], ahead: Floats) -> Crossing:
    """Where a curve passes another. `ahead`: (count + 1, sizes) by how much it is better at each size.

    Straight lines between sizes, on a logarithmic axis; nothing is foretold beyond the sizes. Resamples in which a
    size has no value are left out.
    """
    defined = ahead[~np.isnan(ahead).any(axis=1)]
    places = np.array([_passes(np.log(patients), row) for row in defined])
    share = float((places[1:] < NEVER).mean()) if len(places) > 1 else math.nan
    return Crossing(interval_of(places), share, min(patients), max(patients))


def _passes(log_sizes: Floats, ahead: Floats) -> float:
    behind = np.flatnonzero(ahead <= 0)
    if not len(behind):
        return AHEAD
    last = behind[-1]
    if last == len(ahead) - 1:
        return NEVER
    part = ahead[last] / (ahead[last] - ahead[last + 1])
    return float(np.exp(log_sizes[last] + part * (log_sizes[last + 1] - log_sizes[last])))


def mean_statistic(values: Mapping[str, float], patients: Sequence[str]) -> Statistic:
    """The mean over patients, by patient; those without a value count nowhere."""
    column = np.array([values.get(patient, math.nan) for patient in patients])
    known = ~np.isnan(column)

    def statistic(weights: Floats) -> Floats:
        kept = weights[:, known]
        with np.errstate(invalid="ignore"):
            mean: Floats = kept @ column[known] / kept.sum(axis=1)
        return mean

    return statistic


def class_statistic(metric: GradeMetric, graded: Graded, whose: Sequence[str], patients: Sequence[str]) -> Statistic:
    """A metric of classes over scans of the patients `whose`, each patient's weight divided among its scans."""
    place = {patient: number for number, patient in enumerate(patients)}
    numbers = np.array([place[patient] for patient in whose], dtype=np.intp)
    scans = Scans(numbers, 1 / np.bincount(numbers)[numbers])
    return lambda weights: metric.values(scans.weights(weights), graded)
