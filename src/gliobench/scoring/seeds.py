"""Several seeds of one model: how much its figures move, and intervals over test patients and seeds.

Both levels are resampled (a two-level bootstrap): the tested patients as in all tables, and the seeds. Drawing S
seeds with replacement gives their mean a variance of (S - 1) / S of what it should have, so deviations from the mean
are stretched by the root of S / (S - 1) (Davison and Hinkley 1997, chapter 3.8), and further by what few seeds leave
unknown: the quantile of Student's t with Satterthwaite's degrees of freedom over the normal one (Satterthwaite 1946;
patients count as many). That seeds belong in the interval: Bouthillier et al. 2021, Accounting for variance in
machine learning benchmarks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, t

from gliobench.scoring.intervals import Scale
from gliobench.scoring.learning_curve import (
    TAILS,
    Floats,
    Interval,
    Measured,
    Resamples,
    Sized,
    figure_interval,
    interval_of,
)

if TYPE_CHECKING:
    import pandas as pd

OF = ("task", "metric", "model", "plane")
INTERVALS = ("value", "low", "high", "patients_low", "patients_high")
FIGURES = (*OF, "seeds", *INTERVALS, "sd", "smallest", "largest")
MANY = 1e6  # degrees of freedom
VARIED = (*OF, "varied", "variants", *INTERVALS, "median", "smallest", "largest")
VALUES = (*OF, "varied", "variant", "value", "rank", "models")
DIFFERENCES = (
    *("task", "metric", "model_a", "model_b", "plane", "seeds"),
    *("difference", "low", "high", "above", "below"),
)


@dataclass(frozen=True, eq=False)
class SeedTables:
    """`figures`: a row per model, metric and plane, with the mean over seeds, its interval over patients and seeds
    (`low`, `high`) and over patients alone, and standard deviation, smallest and largest of the seeds' values.
    `differences`: a row per planned comparison, `model_a` minus `model_b`; `above`, `below`: in how many pairs of seeds
    the interval over patients lies above or below 0. Their columns are `FIGURES` and `DIFFERENCES`."""

    figures: "pd.DataFrame"
    differences: "pd.DataFrame"


@dataclass(frozen=True, eq=False)
class VariedTables:
    """`figures`: a row per model, metric, plane and what is varied (prompts or view), over the study's own and the
    other variants, as `SeedTables` has it over seeds. `values`: a row per variant, with the model's rank among all
    models with that variant, 1 the best. Their columns are `VARIED` and `VALUES`."""

    figures: "pd.DataFrame"
    values: "pd.DataFrame"


@dataclass(frozen=True)
class SeedFigure:
    """A metric over seeds: the mean with its interval over patients and seeds, and over patients alone; the seeds' own
    values."""

    whole: Interval
    patients: Interval
    values: tuple[float, ...]

    @property
    def sd(self) -> float:
        """The sample's standard deviation."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class SeedDifference:
    """A difference of two models' means over seeds, with its interval over patients and seeds; `above`, `below`: of the
    `pairs` of seeds, in how many the interval over patients lies above or below 0."""

    whole: Interval
    pairs: int
    above: int
    below: int


def seed_figure(seeds: Sequence[Measured], resamples: Resamples, scale: Scale) -> SeedFigure:
    """A metric of one model, measured with each of several seeds."""
    columns, one = _columns(seeds, resamples), Sized(math.nan, tuple(seeds))
    over_seeds = np.clip(_over_seeds((columns,), resamples), scale.low, scale.high)
    whole = figure_interval(over_seeds, one, scale, resamples.seed)
    patients = figure_interval(columns.mean(axis=1), one, scale, resamples.seed)
    return SeedFigure(whole, patients, tuple(float(value) for value in columns[0]))


def seed_difference(a: Sequence[Measured], b: Sequence[Measured], resamples: Resamples) -> SeedDifference:
    """The difference a - b of a metric, paired by patient; seeds of one are no partners of seeds of the other."""
    left, right = _columns(a, resamples), _columns(b, resamples)
    whole = interval_of(_over_seeds((left, -right), resamples))
    own = [interval_of(one - other) for one in left.T for other in right.T]
    return SeedDifference(whole, len(own), sum(one.low > 0 for one in own), sum(one.high < 0 for one in own))


def _columns(seeds: Sequence[Measured], resamples: Resamples) -> Floats:
    """(count + 1, seeds): each seed's value in each resample of the patients; the first row is everybody once."""
    weights = resamples.weights()
    return np.stack([one.statistic(weights) for one in seeds], axis=1)


def _over_seeds(models: Sequence[Floats], resamples: Resamples) -> Floats:
    """(count + 1,): the sum over models of the mean over resampled seeds; each model draws its seeds by itself."""
    means = sum(columns.mean(axis=1) for columns in models)
    moved = np.zeros(len(models[0]))
    for level, columns in enumerate(models, start=1):
        if (count := columns.shape[1]) > 1:
            drawn = resamples.repeats(count, level)
            moved += math.sqrt(count / (count - 1)) * (columns * (drawn - 1 / count)).sum(axis=1)
    return np.asarray(means + _stretch(models) * moved)


def _stretch(models: Sequence[Floats]) -> float:
    """By how much drawn means of the seeds are moved further from their mean, so that the interval is as wide as
    Student's. What patients have in common in two models is in neither: it leaves no degrees of freedom."""
    several = [columns[0] for columns in models if columns.shape[1] > 1]
    parts = [(float(np.var(values, ddof=1)) / len(values), len(values) - 1) for values in several]
    of_seeds = sum(variance for variance, _ in parts)
    if not of_seeds > 0:
        return 1.0
    of_patients = float(np.nanvar(sum(columns[1:].mean(axis=1) for columns in models)))
    together = of_seeds + of_patients
    degrees = together**2 / sum(variance**2 / free for variance, free in parts)
    if degrees > MANY:  # the quantiles differ by rounding alone, which a ratio of variances would blow up
        return 1.0
    wider = (t.ppf(TAILS[1], degrees) / norm.ppf(TAILS[1])) ** 2
    return math.sqrt(1 + (wider - 1) * together / of_seeds)
