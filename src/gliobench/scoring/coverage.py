"""How often a 95 % interval holds the true value, as simulated by `benchmarks/coverage.py`."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import floor

TABLE = "coverage.csv"
RELIABLE, NOT_RELIABLE = 0.9, "not to be relied on"  # what is said below this coverage


@dataclass(frozen=True)
class Coverage:
    """The least coverage over the simulated cohorts of one kind of figure and size: where no patient fails, and where
    one in ten does; the same where failures are part of the figure, as in proportions."""

    usual: float
    failing: float

    @property
    def words(self) -> str:
        """`simulated 95 %, with failures 87 % (not to be relied on with failures)`."""
        usual, failing = (f"{floor(100 * one)} %" for one in (self.usual, self.failing))
        simulated = f"simulated {usual}" if usual == failing else f"simulated {usual}, with failures {failing}"
        if min(self.usual, self.failing) >= RELIABLE:
            return simulated
        return f"{simulated} ({NOT_RELIABLE}{'' if self.usual < RELIABLE else ' with failures'})"


def beside(method: str, kind: str, n: int) -> str:
    """The method of an interval over `n` patients, with its nominal and simulated coverage.

    `kind`: of the table; empty for a figure that was not simulated. The coverage is that of the largest simulated
    cohort of no more than n patients.
    """
    if not kind:
        return f"{method}: nominal 95 %, not simulated"
    sizes = _table().get(kind, {})
    known = [size for size in sizes if size <= n]
    return f"{method}: nominal 95 %, {sizes[max(known)].words if known else 'not simulated for so few patients'}"


@cache
def _table() -> dict[str, dict[int, Coverage]]:
    found: dict[str, dict[int, Coverage]] = {}
    with (files("gliobench.scoring") / TABLE).open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            one = Coverage(float(row["coverage"]), float(row["with_failures"]))
            found.setdefault(row["figures"], {})[int(row["patients"])] = one
    return found
