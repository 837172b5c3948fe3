"""How often 95 % intervals over patients and seeds hold the true value, beside those over patients alone.

    python benchmarks/coverage_seeds.py [--runs 600]

Normal values of patients, and seeds that move a whole training. The truth is what another training on other patients
gives on average. In a difference both models find the same patients hard. Prints the tables of docs/seeds.md; ends in
one line of JSON.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliobench.scoring.intervals import Scale
from gliobench.scoring.learning_curve import Floats, Interval, Measured, Resamples, mean_statistic
from gliobench.scoring.seeds import seed_difference, seed_figure

COMMON_SD, OWN_SD = 0.1, 0.02  # of a patient's value, in both models of a difference and in one of them
FIGURE_SD = 0.1
FIGURES = ((12, 3, 0.05), (30, 2, 0.05), (30, 3, 0.02), (30, 3, 0.05), (30, 5, 0.05), (30, 10, 0.05), (100, 3, 0.05))
DIFFERENCES = ((30, 3, 1, 0.03), (30, 3, 3, 0.03), (30, 5, 1, 0.03), (30, 5, 5, 0.03), (100, 3, 1, 0.03))
RESAMPLES = 400


@dataclass(frozen=True)
class Cell:
    """The parts of the runs in which an interval held the truth."""

    patients: int
    seeds: str
    sd: float
    whole: float
    alone: float


def measured(values: Floats, shifts: Sequence[float]) -> list[Measured]:
    """One model with seeds that move all its patients' `values` by `shifts`."""
    names = [str(number) for number in range(len(values))]
    by_name = [dict(zip(names, values + shift, strict=True)) for shift in shifts]
    return [Measured(mean_statistic(one, names), len(names)) for one in by_name]


def figure_cell(patients: int, seeds: int, sd: float, runs: int) -> Cell:
    random, resamples = np.random.default_rng(1), Resamples(patients, count=RESAMPLES)
    found = [
        seed_figure(
            measured(random.normal(0.0, FIGURE_SD, patients), random.normal(0.0, sd, seeds)), resamples, Scale("")
        )
        for _ in range(runs)
    ]
    whole, alone = (share_of_hits(ends) for ends in ([one.whole for one in found], [one.patients for one in found]))
    return Cell(patients, str(seeds), sd, whole, alone)


def difference_cell(patients: int, seeds: tuple[int, int], sd: float, runs: int) -> Cell:
    """A model with one seed draws nothing. `alone`: of the first seeds, over patients."""
    random, resamples = np.random.default_rng(1), Resamples(patients, count=RESAMPLES)
    whole, alone = [], []
    for _ in range(runs):
        hard = random.normal(0.0, COMMON_SD, patients)
        a, b = (
            measured(
                hard + random.normal(0.0, OWN_SD, patients),
                random.normal(0.0, sd if count > 1 else 0.0, count).tolist(),
            )
            for count in seeds
        )
        whole.append(seed_difference(a, b, resamples).whole)
        alone.append(seed_difference(a[:1], b[:1], resamples).whole)
    return Cell(patients, " and ".join(map(str, seeds)), sd, share_of_hits(whole), share_of_hits(alone))


def share_of_hits(intervals: Sequence[Interval]) -> float:
    return sum(one.low <= 0 <= one.high for one in intervals) / len(intervals)


def markdown(cells: Sequence[Cell], seeds: str, alone: str) -> str:
    rows = [f"| n | {seeds} | SD of seeds | patients and seeds | {alone} |", "|---|---|---|---|---|"]
    for one in cells:
        rows.append(
            f"| {one.patients} | {one.seeds} | {one.sd:g} | {100 * one.whole:.0f} % | {100 * one.alone:.0f} % |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=600)
    runs = parser.parse_args().runs
    figures = [figure_cell(*one, runs) for one in FIGURES]
    differences = [difference_cell(n, (a, b), sd, runs) for n, a, b, sd in DIFFERENCES]
    print(markdown(figures, "seeds", "patients alone"), markdown(differences, "seeds of each", "one seed"), sep="\n\n")
    rows = {name: [vars(one) for one in cells] for name, cells in (("figures", figures), ("differences", differences))}
    print(json.dumps({"benchmark": "coverage_seeds", "runs": runs, **rows}))


if __name__ == "__main__":
    main()
