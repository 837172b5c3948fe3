"""What is said of an interval's coverage, and that it is what a simulation gives."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gliobench.scoring import coverage
from gliobench.scoring.coverage import Coverage, beside

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_words_claim_no_more_than_was_simulated() -> None:
    assert Coverage(0.959, 0.941).words == "simulated 95 %, with failures 94 %"
    assert Coverage(0.95, 0.95).words == "simulated 95 %"
    assert Coverage(0.94, 0.719).words == "simulated 94 %, with failures 71 % (not to be relied on with failures)"
    assert Coverage(0.899, 0.7).words.endswith("(not to be relied on)")


def test_the_coverage_is_that_of_the_next_smaller_cohort() -> None:
    assert beside("t", "distances", 13) == beside("t", "distances", 12) != beside("t", "distances", 20)
    assert beside("t", "distances", 2) == "t: nominal 95 %, not simulated for so few patients"
    assert beside("t", "", 12) == "t: nominal 95 %, not simulated"


@pytest.mark.parametrize("kind", ["means", "distances"])
def test_the_table_is_what_the_benchmark_simulates(benchmark: ModuleType, kind: str) -> None:
    """Two cells anew with 400 cohorts, whose standard error is about 0.01 at 95 % and 0.02 at 70 %."""
    scenarios = [one for one in benchmark.SCENARIOS if one.kind == kind]
    ((_, _, usual, failing),) = benchmark.summary(cell for one in scenarios for cell in one.cells(12, 400))
    known = coverage._table()[kind][12]
    assert usual == pytest.approx(known.usual, abs=0.03)
    assert failing == pytest.approx(known.failing, abs=0.06)


def test_all_but_distances_reach_what_is_wanted() -> None:
    """93 % from 12 patients without failures, 90 % from 20 where one in ten fails."""
    for kind, sizes in coverage._table().items():
        assert min(one.usual for n, one in sizes.items() if n >= 12) >= 0.93, kind
        if "distances" not in kind:
            assert min(one.failing for n, one in sizes.items() if n >= 20) >= 0.9, kind
