"""Percentiles from the tails alone are NumPy's, whatever the values are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliobench.grid.intensity import percentiles_of_tails


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.sampled_from((1, 2, 5, 19_999, 20_000, 20_001, 54_321)),
    levels=st.sampled_from((1, 3, 200, 100_000)),
    order=st.sampled_from(("random", "rising", "falling")),
)
def test_they_are_what_numpy_gives(seed: int, count: int, levels: int, order: str) -> None:
    random = np.random.default_rng(seed)
    values = (random.integers(0, levels, count) ** 2 * random.uniform(0.001, 10)).astype(np.float32)
    values = {"random": values, "rising": np.sort(values), "falling": np.sort(values)[::-1].copy()}[order]
    assert percentiles_of_tails(values, 0.5, 99.5) == tuple(np.percentile(values, (0.5, 99.5)))


def test_a_sample_that_says_nothing_is_noticed() -> None:
    # Every 61st value is small, the others are not: what the sample takes for the upper tail is nearly everything.
    values = np.linspace(100, 200, 30_000, dtype=np.float32)
    values[::61] = 0
    assert percentiles_of_tails(values, 0.5, 99.5) == pytest.approx(np.percentile(values, (0.5, 99.5)).tolist(), rel=0)
