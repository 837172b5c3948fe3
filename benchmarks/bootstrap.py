"""Seconds for 10,000 resamples over 55 patients (means, AUC, paired differences with p): ours beside SciPy's functions.

    python benchmarks/bootstrap.py --rounds 3

Both sides take turns on the same values, ours drawing its resamples anew in each round; the intervals must agree within
4 % of their width, as those of other resamples do. Ends in one line of JSON; the ratio is that of the median times.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

from gliobench.scoring import intervals
from gliobench.scoring.grades import weighted_auc
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.paired import mean_differences

PATIENTS, LGG, MEANS, RESAMPLES, TOLERANCE = 55, 11, 24, 10_000, 0.04
Ends = Sequence[tuple[float, float]]
SETTINGS: Any = {"n_resamples": RESAMPLES, "method": "BCa", "rng": np.random.default_rng(1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(0)
    values = random.gamma(1.5, 10, (PATIENTS, MEANS))  # skewed, as distances are
    truth = np.arange(PATIENTS) >= LGG
    score = random.normal(0.8 * truth, 1.0)
    rows = [
        measure(f"{MEANS} means", rounds, lambda: our_means(values), lambda: their_means(values)),
        measure("one AUC", rounds, lambda: our_auc(truth, score), lambda: their_auc(truth, score)),
        measure(f"{MEANS} differences, with p", rounds, lambda: our_pairs(values), lambda: their_pairs(values)),
    ]
    table = Table("figures", "ours s", "SciPy s", "ratio")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    print(json.dumps({"benchmark": "bootstrap", "patients": PATIENTS, "resamples": RESAMPLES, "rows": rows}))


def measure(name: str, rounds: int, ours: Callable[[], Ends], theirs: Callable[[], Ends]) -> dict[str, str | float]:
    """Median seconds of both sides."""
    seconds: dict[str, list[float]] = {"ours": [], "scipy": []}
    for _ in range(rounds):
        intervals._weights.cache_clear()
        start = perf_counter()
        found = ours()
        seconds["ours"].append(perf_counter() - start)
        start = perf_counter()
        expected = theirs()
        seconds["scipy"].append(perf_counter() - start)
        for one, other in zip(found, expected, strict=True):
            if max(abs(np.subtract(one, other))) > TOLERANCE * (other[1] - other[0]):
                raise SystemExit(f"{name}: {one} here, {other} by SciPy: the speed means nothing")
    mine, scipys = (statistics.median(seconds[side]) for side in ("ours", "scipy"))
    return {"figures": name, "ours_s": round(mine, 3), "scipy_s": round(scipys, 3), "ratio": round(scipys / mine, 1)}


def our_means(values: NDArray[np.float64]) -> Ends:
    return [(figure.low, figure.high) for figure in Bootstrap(RESAMPLES).means(values)]


def their_means(values: NDArray[np.float64]) -> Ends:
    return [scipys(stats.bootstrap((column,), np.mean, **SETTINGS)) for column in values.T]


def our_auc(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> Ends:
    figures = Bootstrap(RESAMPLES).figures(lambda weights: weighted_auc(weights, truth, score)[:, None], PATIENTS)
    return [(figure.low, figure.high) for figure in figures]


def their_auc(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> Ends:
    def auc(drawn: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
        return float(np.mean(scores[drawn == 1][:, None] > scores[drawn == 0][None]))

    return [scipys(stats.bootstrap((truth, score), auc, paired=True, vectorized=False, **SETTINGS))]


def our_pairs(values: NDArray[np.float64]) -> Ends:
    found = mean_differences(values, values[::-1], Bootstrap(RESAMPLES), RESAMPLES)
    return [(one.figure.low, one.figure.high) for one in found]


def their_pairs(values: NDArray[np.float64]) -> Ends:
    differences = (values - values[::-1]).T
    for column in differences:
        stats.permutation_test(
            (column,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, vectorized=True, rng=SETTINGS["rng"]
        )
    return [scipys(stats.bootstrap((column,), np.mean, **SETTINGS)) for column in differences]


def scipys(found: Any) -> tuple[float, float]:
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


if __name__ == "__main__":
    main()
