"""A power law through the values of a learning curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls

EXPONENTS = (0.05, 5.0)  # of c; beyond them the curve is a straight line or a step
LEAST = 4  # sizes: a curve through three always fits


@dataclass(frozen=True)
class PowerLaw:
    """What is lacking to the best value after n training patients: a + b n^-c, with a, b >= 0.

    The form of Cortes et al. 1994 and Hestness et al. 2017. `best`: 1 of a share, 0 of an error, from which is counted.
    """

    a: float
    b: float
    c: float
    best: float

    def at(self, patients: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The value after so many training patients."""
        lacking = self.a + self.b * np.asarray(patients, dtype=np.float64) ** -self.c
        return np.asarray(self.best - lacking if self.best else lacking)

    @property
    def limit(self) -> float:
        """The value that it nears."""
        return abs(self.best - self.a)

    @property
    def fault(self) -> str:
        """Why it says nothing; an empty text where it does."""
        if self.b == 0:
            return "no gain with more patients within these sizes"
        low, high = EXPONENTS
        return "" if low * 1.01 < self.c < high * 0.99 else "these sizes do not tell how fast it rises"


def fit_power_law(patients: Sequence[float], values: NDArray[np.float64], best: float) -> PowerLaw | None:
    """The law by least squares over the sizes; None where fewer than four have a value.

    For each exponent a and b follow by non-negative least squares, so that no value beyond the best is foretold.
    """
    known = ~np.isnan(values)
    if known.sum() < LEAST:
        return None
    sizes, lacking = np.asarray(patients, dtype=np.float64)[known], np.abs(best - values[known])

    def linear(log_c: float) -> tuple[NDArray[np.float64], float]:
        (factors, residual) = nnls(np.stack([np.ones_like(sizes), sizes ** -np.exp(log_c)], axis=1), lacking)
        return factors, residual

    found = minimize_scalar(lambda log_c: linear(log_c)[1], bounds=tuple(np.log(EXPONENTS)), method="bounded")
    a, b = linear(found.x)[0]
    return PowerLaw(float(a), float(b), float(np.exp(found.x)), best)
