"""How often the 95 % interval of a mean Dice holds the true mean, on made-up cohorts.

    python benchmarks/coverage.py

A patient's Dice is drawn from Beta(14, 2); in the second half one in ten is 0, a tumour that was missed. Prints a table
and one line of JSON: what `docs/scoring.md` says of small cohorts.
"""

import json
import math

import numpy as np

from gliobench.scoring.intervals import Bootstrap

COHORTS, PATIENTS, MEAN = 800, (6, 12, 20, 30), 14 / 16


def coverage(patients: int, missed: float, random: np.random.Generator) -> tuple[float, float]:
    """The share of cohorts whose interval holds the true mean, and the share whose whole interval lies above it."""
    values = random.beta(14, 2, (patients, COHORTS))
    values[random.random(values.shape) < missed] = 0
    figures = Bootstrap(resamples=2000).means(values)
    true = MEAN * (1 - missed)
    known = [figure for figure in figures if not math.isnan(figure.low)]
    holds = sum(figure.low <= true <= figure.high for figure in known)
    return holds / len(known), sum(figure.low > true for figure in known) / len(known)


def main() -> None:
    random = np.random.default_rng(0)
    found = []
    print("missed  patients  holds the mean  lies above it")
    for missed in (0.0, 0.1):
        for patients in PATIENTS:
            holds, above = coverage(patients, missed, random)
            print(f"{missed:6.0%}  {patients:8d}  {holds:14.1%}  {above:13.1%}", flush=True)
            found.append({"missed": missed, "patients": patients, "coverage": holds, "above": above})
    print(json.dumps({"benchmark": "coverage", "cohorts": COHORTS, "results": found}))


if __name__ == "__main__":
    main()
