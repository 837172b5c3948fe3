"""Figures over several seeds, against values by hand and against their coverage in a simulation."""

import math

import numpy as np
import pytest

from gliobench.scoring.intervals import Scale
from gliobench.scoring.learning_curve import Floats, Measured, Resamples, mean_statistic
from gliobench.scoring.seeds import seed_difference, seed_figure

ANY = Scale("")


def constant(value: float) -> Measured:
    """A figure that no patient changes."""
    return Measured(lambda weights: np.full(len(weights), value), 1)


# Two seeds alone: Student's t with one degree of freedom, 12.706, over the normal 1.960.
WIDER = 12.706205 / 1.959964


def test_two_seeds_by_hand() -> None:
    """Drawn with replacement, both seeds are the first, or the second, in a quarter of the draws each. The 2.5 and
    97.5 % ends are these, stretched from the mean by the root of 2 and by what two seeds leave unknown."""
    found = seed_figure([constant(0.5), constant(0.7)], Resamples(4), ANY)
    reach = 0.1 * math.sqrt(2) * WIDER
    assert found.whole.value == pytest.approx(0.6)
    assert (found.whole.low, found.whole.high) == pytest.approx((0.6 - reach, 0.6 + reach))
    assert (found.patients.low, found.patients.high) == pytest.approx((0.6, 0.6))
    assert found.sd == pytest.approx(0.1 * math.sqrt(2))
    assert found.values == (0.5, 0.7)


def test_an_interval_stays_on_its_scale() -> None:
    found = seed_figure([constant(0.5), constant(0.7)], Resamples(4), Scale("", 0.0, 1.0))
    assert 0.0 <= found.whole.low < 0.5
    assert 0.7 < found.whole.high <= 1.0


def test_a_difference_pairs_every_seed_of_one_with_every_seed_of_the_other() -> None:
    found = seed_difference([constant(3.0), constant(1.0)], [constant(2.0)], Resamples(4))
    assert found.whole.value == pytest.approx(0.0)
    assert (found.whole.low, found.whole.high) == pytest.approx((-math.sqrt(2) * WIDER, math.sqrt(2) * WIDER))
    assert (found.pairs, found.above, found.below) == (2, 1, 1)


def test_patients_are_paired_in_a_difference() -> None:
    """Two models that differ by 0.1 in every patient differ by exactly 0.1, however patients differ."""
    hard = {f"p{number}": number / 10 for number in range(8)}
    patients = list(hard)
    a, b = (
        Measured(mean_statistic({name: value + shift for name, value in hard.items()}, patients), 8)
        for shift in (0.1, 0.0)
    )
    found = seed_difference([a, a], [b], Resamples(8))
    assert (found.whole.low, found.whole.high) == pytest.approx((0.1, 0.1))
    assert (found.pairs, found.above, found.below) == (2, 2, 0)


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_over_patients_and_seeds_holds_the_truth_where_that_over_patients_does_not(seeds: int) -> None:
    """30 patients (SD 0.1), seeds that move a whole training by an SD of 0.05: what another training on other patients
    gives on average."""
    rng, hits, alone, runs = np.random.default_rng(1), 0, 0, 600
    patients = [f"p{number}" for number in range(30)]
    for _ in range(runs):
        own: Floats = rng.normal(0.0, 0.1, 30)
        measured = [
            Measured(mean_statistic(dict(zip(patients, shift + own, strict=True)), patients), 30)
            for shift in rng.normal(0.0, 0.05, seeds)
        ]
        found = seed_figure(measured, Resamples(30, count=400), ANY)
        hits += found.whole.low <= 0.0 <= found.whole.high
        alone += found.patients.low <= 0.0 <= found.patients.high
    assert hits / runs > 0.91  # nominal 0.95, +-0.02 of 600 runs
    assert alone / runs < 0.8


def test_the_interval_of_a_difference_holds_the_truth_though_patients_are_hard_for_both() -> None:
    """A model of three seeds (SD 0.03) beside one that draws nothing: what patients have in common (SD 0.1, beside 0.02
    of each model) cancels out in the difference, so three seeds leave two degrees of freedom and not many."""
    rng, hits, runs = np.random.default_rng(1), 0, 600
    patients = [f"p{number}" for number in range(30)]
    for _ in range(runs):
        hard: Floats = rng.normal(0.0, 0.1, 30)
        a, b = (
            [Measured(mean_statistic(dict(zip(patients, shift + own, strict=True)), patients), 30) for shift in shifts]
            for shifts, own in (
                (rng.normal(0.0, 0.03, 3), hard + rng.normal(0.0, 0.02, 30)),
                (np.zeros(1), hard + rng.normal(0.0, 0.02, 30)),
            )
        )
        found = seed_difference(a, b, Resamples(30, count=400))
        hits += found.whole.low <= 0.0 <= found.whole.high
    assert hits / runs > 0.91  # nominal 0.95, +-0.02 of 600 runs


def test_a_difference_by_hand() -> None:
    """Two seeds of each, 0.1 apart: two equal variances with one degree of freedom each, so together two, for which
    tables of Student's t give 4.303. Both means are at their lowest in 1 of 16 draws, more than 2.5 %."""
    found = seed_difference([constant(0.2), constant(0.3)], [constant(0.0), constant(0.1)], Resamples(4))
    reach = (0.05 + 0.05) * math.sqrt(2) * 4.302653 / 1.959964
    assert found.whole.value == pytest.approx(0.2)
    assert (found.whole.low, found.whole.high) == pytest.approx((0.2 - reach, 0.2 + reach), rel=1e-5)
    assert (found.pairs, found.above, found.below) == (4, 4, 0)


@pytest.mark.parametrize("moved", [0.0, 1e-17, 1e-12, 1e-6])
def test_seeds_that_hardly_move_a_figure_leave_the_interval_over_patients(moved: float) -> None:
    patients = [f"p{number}" for number in range(8)]
    seeds = [
        Measured(mean_statistic({name: (n + moved * seed) / 10 for n, name in enumerate(patients)}, patients), 8)
        for seed in range(3)
    ]
    found = seed_figure(seeds, Resamples(8), ANY)
    assert (found.whole.low, found.whole.high) == pytest.approx((found.patients.low, found.patients.high), abs=1e-4)
    both = seed_difference(seeds, seeds, Resamples(8))
    assert (both.whole.low, both.whole.high) == pytest.approx((0.0, 0.0), abs=1e-4)
