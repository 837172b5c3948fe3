"""How often 95 % intervals hold the true value on made-up cohorts: those of the reports beside others.

    python benchmarks/coverage.py [--cohorts 1000] [--write]

Per cell the coverage in %, in brackets how many intervals lie wholly above and below the true value, and the width.
Prints Markdown; `--write` also writes `src/gliobench/scoring/coverage.csv`, which the reports quote: of each kind of
figure the least coverage over its scenarios without failures, and with one patient in ten failing. Ends in one line of
JSON.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit, ndtr, ndtri
from statsmodels.stats.proportion import proportion_confint

from gliobench.scoring import intervals
from gliobench.scoring.grades import weighted_auc
from gliobench.scoring.intervals import AREA, CLASSES, MEAN, POSITIVE, SHARE, Bootstrap, Scale
from gliobench.scoring.paired import call_figures

SIZES = (3, 6, 12, 20, 30, 60, 100)
RESAMPLES, SEED, FAILING = 2000, 0, 0.1
FARTHEST_MM, CORRELATION = 200.0, 0.6
CHOSEN = "ours"
COLUMNS = ("figures", "patients", "coverage", "with_failures")
TABLE = Path(intervals.__file__).with_name("coverage.csv")
TAILS = [0.025, 0.975]

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
Draw = Callable[[np.random.Generator, int, int], tuple[dict[str, Ends], float]]


@dataclass(frozen=True)
class Cell:
    """Of one method on cohorts of one size: shares of intervals that hold the true value, that lie above it, below it,
    and the mean width."""

    kind: str
    scenario: str
    failing: bool
    method: str
    patients: int
    coverage: float
    above: float
    below: float
    width: float


@dataclass(frozen=True)
class Scenario:
    """`draw`: the ends of the intervals of each method, and the true value, from a generator, n and cohorts."""

    kind: str
    name: str
    failing: bool
    draw: Draw

    def cells(self, patients: int, cohorts: int) -> Iterator[Cell]:
        methods, true = self.draw(np.random.default_rng([SEED, patients]), patients, cohorts)
        for method, (low, high) in methods.items():
            above, below = float(np.mean(low > true + 1e-9)), float(np.mean(high < true - 1e-9))
            width = float(np.mean(high - low))
            yield Cell(self.kind, self.name, self.failing, method, patients, 1 - above - below, above, below, width)


# Means over patients, and their differences


def of_values(values: Floats, scale: Scale) -> dict[str, Ends]:
    """Methods for the mean of each column of (patients, cohorts)."""
    found = {
        CHOSEN: ends(Bootstrap(RESAMPLES).means(values, [scale] * values.shape[1])),
        "BCa": bca(values),
        "bootstrap-t": bootstrap_t(values),
        "t": student(values),
    }
    return found | ({"Gaffke": gaffke(values, scale)} if scale.bounded else {})


def ends(figures: Iterable[intervals.Figure]) -> Ends:
    low, high = np.array([(figure.low, figure.high) for figure in figures]).T
    return low, high


def resamples(patients: int) -> Floats:
    random = np.random.default_rng(SEED)
    return random.multinomial(patients, np.full(patients, 1 / patients), RESAMPLES) / patients


def bca(values: Floats) -> Ends:
    """Efron (1987); percentile where it is not defined."""
    drawn, mean = np.sort(np.round(resamples(len(values)) @ values, 10), axis=0), np.round(values.mean(axis=0), 10)
    below = ((drawn < mean).mean(axis=0) + (drawn <= mean).mean(axis=0)) / 2
    deviation = values - values.mean(axis=0)
    columns, found = np.arange(values.shape[1]), []
    with np.errstate(all="ignore"):
        acceleration = (deviation**3).sum(axis=0) / (6 * (deviation**2).sum(axis=0) ** 1.5)
        for tail in TAILS:
            shifted = ndtri(below) + ndtri(tail)
            adjusted = ndtr(ndtri(below) + shifted / (1 - acceleration * shifted))
            place = np.where(np.isfinite(adjusted), adjusted, tail) * (len(drawn) - 1)
            found.append(drawn[np.round(place).astype(int), columns])
    return found[0], found[1]


def bootstrap_t(values: Floats) -> Ends:
    """Efron and Tibshirani (1993), section 12.5."""
    weights, mean = resamples(len(values)), values.mean(axis=0)
    shift = weights @ (values - mean)
    spread = np.maximum(weights @ (values - mean) ** 2 - shift**2, 0)
    with np.errstate(all="ignore"):
        t = np.clip(np.nan_to_num(shift / np.sqrt(spread / (len(values) - 1))), -1e3, 1e3)
    low, high = np.quantile(t, TAILS, axis=0) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return mean - high, mean - low


def student(values: Floats) -> Ends:
    error = stats.t.ppf(TAILS[1], len(values) - 1) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return values.mean(axis=0) - error, values.mean(axis=0) + error


def gaffke(values: Floats, scale: Scale) -> Ends:
    """Gaffke (2005): one more patient at the end of the scale."""
    weights = np.random.default_rng(SEED).dirichlet(np.ones(len(values) + 1), RESAMPLES)
    inside = weights[:, 1:] @ values
    low, high = (np.quantile(inside + weights[:, :1] * end, tail, axis=0) for end, tail in zip(
        (scale.low, scale.high), TAILS, strict=True
    ))  # fmt: skip
    return low, high


def means(scale: Scale, name: str, law: Any, worst: float) -> list[Scenario]:
    """A mean without and with failures, which have the value `worst`."""

    def draw(failing: float) -> Draw:
        def drawn(random: np.random.Generator, patients: int, cohorts: int) -> tuple[dict[str, Ends], float]:
            values = law.rvs((patients, cohorts), random_state=random)
            values[random.random(values.shape) < failing] = worst
            return of_values(values, scale), law.mean() * (1 - failing) + worst * failing

        return drawn

    return [Scenario(scale.kind, name, failing > 0, draw(failing)) for failing in (0.0, FAILING)]


def difference(scale: Scale, laws: tuple[Any, Any], worst: float, failing: tuple[float, float]) -> Draw:
    """Two correlated values of every patient (a Gaussian copula), each failing on its own."""

    def draw(random: np.random.Generator, patients: int, cohorts: int) -> tuple[dict[str, Ends], float]:
        common = random.normal(size=(patients, cohorts))
        sides = []
        for law, share in zip(laws, failing, strict=True):
            own = np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * random.normal(size=common.shape)
            values = law.ppf(ndtr(own))
            values[random.random(values.shape) < share] = worst
            sides.append(values)
        true = [law.mean() * (1 - share) + worst * share for law, share in zip(laws, failing, strict=True)]
        return of_values(sides[0] - sides[1], scale.difference), float(true[0] - true[1])

    return draw


def differences(scale: Scale, name: str, laws: tuple[Any, Any], worst: float) -> list[Scenario]:
    kind = scale.difference.kind
    return [
        Scenario(kind, name, False, difference(scale, laws, worst, (0, 0))),
        Scenario(kind, f"{name}, both fail", True, difference(scale, laws, worst, (FAILING, FAILING))),
        Scenario(kind, f"{name}, one fails", True, difference(scale, laws, worst, (FAILING, 0))),
    ]


# Proportions


def share(true: float) -> Scenario:
    """Every possible count, as often as the binomial distribution has it: no simulation."""

    def draw(random: np.random.Generator, patients: int, cohorts: int) -> tuple[dict[str, Ends], float]:
        counts = stats.binom.ppf((np.arange(20 * cohorts) + 0.5) / (20 * cohorts), patients, true).astype(int)
        known = np.array([intervals.share_ends(count, patients) for count in range(patients + 1)]).T
        found = {CHOSEN: (known[0][counts], known[1][counts])}
        for name, method in (("Wilson", "wilson"), ("Clopper-Pearson", "beta"), ("Jeffreys", "jeffreys")):
            low, high = proportion_confint(np.arange(patients + 1), patients, method=method)
            found[name] = (low[counts], high[counts])
        return found, true

    return Scenario(SHARE.kind, f"{true:.0%}", False, draw)


def share_difference(a: float, b: float) -> Scenario:
    draw = difference(SHARE, (stats.bernoulli(a), stats.bernoulli(b)), 0, (0, 0))
    return Scenario(SHARE.difference.kind, f"{a:.0%} and {b:.0%}", False, draw)


# Class metrics: the rarer class has a share `rare` of the patients


def classes(patients: int, rare: float) -> NDArray[np.bool_]:
    return np.arange(patients) < max(1, round(patients * rare))


def calls_of(rare: float, sides: tuple[tuple[float, float], ...], metric: str) -> Scenario:
    """Balanced accuracy or F1 of one model, or the difference of two; a side is its (sensitivity, specificity)."""
    scale = CLASSES if len(sides) == 1 else CLASSES.difference
    place = {"balanced accuracy": 0, "F1": 2}[metric]

    def draw(random: np.random.Generator, patients: int, cohorts: int) -> tuple[dict[str, Ends], float]:
        truth = classes(patients, rare)
        positives, negatives = float(truth.sum()), float((~truth).sum())
        common, called, true = random.normal(size=(patients, cohorts)), [], []
        for sensitivity, specificity in sides:
            own = ndtr(np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * random.normal(size=common.shape))
            called.append(np.where(truth[:, None], own < sensitivity, own >= specificity))
            hits = positives * sensitivity
            counts = (hits, hits + negatives * (1 - specificity), positives, negatives)
            true.append(float(call_figures(*map(np.asarray, counts))[place]))

        def statistic(weights: Floats) -> Floats:
            whole = [(weights @ kind)[:, None] for kind in (truth, ~truth)]
            values = [call_figures(weights @ (one & truth[:, None]), weights @ one, *whole)[place] for one in called]
            return values[0] - (values[1] if len(values) > 1 else 0)

        either = (truth[:, None] | called[0] | called[-1]).sum(axis=0)
        over = [int(min(positives, negatives))] * cohorts if place == 0 else either.tolist()
        figures = Bootstrap(RESAMPLES).figures(statistic, patients, [scale] * cohorts, over)
        return {CHOSEN: ends(figures)}, true[0] - (true[1] if len(true) > 1 else 0)

    named = " and ".join(f"{one:.0%}/{other:.0%}" for one, other in sides)
    return Scenario(scale.kind, f"{metric}, {named}, {rare:.0%} positive", False, draw)


def auc_of(rare: float, areas: tuple[float, ...], failing: tuple[float, ...] = ()) -> Scenario:
    """The AUC of one model with normal scores, or the difference of two; a failure has the worst score."""
    scale = AREA if len(areas) == 1 else AREA.difference
    shares = failing or (0.0,) * len(areas)

    def draw(random: np.random.Generator, patients: int, cohorts: int) -> tuple[dict[str, Ends], float]:
        truth = classes(patients, rare)
        rarer = int(min(truth.sum(), (~truth).sum()))
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(max(1, cohorts // 2)):  # each is slow
            common, scores = random.normal(size=patients), []
            for area, share in zip(areas, shares, strict=True):
                own = np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * random.normal(size=patients)
                own += np.sqrt(2) * ndtri(area) * truth
                scores.append(np.where(random.random(patients) < share, np.where(truth, -99.0, 99.0), own))
            (figure,) = Bootstrap(RESAMPLES).figures(
                lambda weights, scores=scores: area_difference(weights, truth, scores)[:, None],
                patients,
                [scale],
                [rarer],
            )
            for name, pair in {CHOSEN: (figure.low, figure.high), **delong(truth, scores)}.items():
                found.setdefault(name, []).append(pair)
        true = [area * (1 - share) ** 2 for area, share in zip(areas, shares, strict=True)]
        methods = {name: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for name, pairs in found.items()}
        return methods, true[0] - (true[1] if len(true) > 1 else 0)

    failed = "" if len(areas) == 1 or not failing else ", both fail" if all(failing) else ", one fails"
    named = " and ".join(f"{area:g}" for area in areas)
    return Scenario(scale.kind, f"{named}, {rare:.0%} positive{failed}", bool(failing), draw)


def area_difference(weights: Floats, truth: NDArray[np.bool_], scores: list[Floats]) -> Floats:
    areas = [weighted_auc(weights, truth, score) for score in scores]
    return areas[0] - (areas[1] if len(areas) > 1 else 0)


def delong(truth: NDArray[np.bool_], scores: list[Floats]) -> dict[str, tuple[float, float]]:
    """DeLong et al. (1988), of one AUC also on the logit scale; undefined with fewer than two patients of a class."""
    ordered = [np.sign(score[truth][:, None] - score[~truth][None]) / 2 + 0.5 for score in scores]
    one = ordered[0] - (ordered[1] if len(ordered) > 1 else 0)
    if min(one.shape) < 2:
        return {}
    area = float(one.mean())
    error = 1.96 * float(np.sqrt(sum(one.mean(axis=axis).var(ddof=1) / one.shape[1 - axis] for axis in (0, 1))))
    plain = {"DeLong": (area - error, area + error)}
    if len(scores) > 1:
        return plain
    inside = 0 < area < 1
    wide = error / (area * (1 - area)) if inside else 0.0
    on_logit = (float(expit(logit(area) - wide)), float(expit(logit(area) + wide))) if inside else (area, area)
    return plain | {"DeLong, logit": on_logit}


DICE, BETTER = stats.beta(10, 3), stats.beta(14, 2)
NEAR, NEARER = stats.gamma(1.5, scale=10), stats.gamma(1.5, scale=7)
SCENARIOS: tuple[Scenario, ...] = (
    *means(MEAN, "Dice, Beta(14, 2)", BETTER, 0.0),
    *means(MEAN, "Beta(2, 2)", stats.beta(2, 2), 0.0),
    *means(MEAN, "Beta(1, 0.3)", stats.beta(1, 0.3), 0.0),
    *means(POSITIVE, "Gamma(1.5), mean 15 mm", NEAR, FARTHEST_MM),
    *[share(true) for true in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)],
    *[auc_of(rare, (area,)) for rare, area in ((0.5, 0.85), (0.5, 0.95), (0.2, 0.85), (0.2, 0.7))],
    *[auc_of(rare, (0.85,), (FAILING,)) for rare in (0.5, 0.2)],
    *[
        calls_of(rare, (side,), metric)
        for metric in ("balanced accuracy", "F1")
        for rare, side in ((0.5, (0.85, 0.75)), (0.2, (0.85, 0.75)), (0.5, (0.95, 0.9)))
    ],
    *differences(MEAN, "Beta(14, 2) and Beta(10, 3)", (BETTER, DICE), 0.0),
    *differences(POSITIVE, "Gamma(1.5), means 15 and 10.5 mm", (NEAR, NEARER), FARTHEST_MM),
    *[share_difference(*pair) for pair in ((0.9, 0.7), (0.95, 0.9), (0.7, 0.6), (0.8, 0.8))],
    *[auc_of(rare, areas) for rare, areas in ((0.5, (0.85, 0.75)), (0.5, (0.95, 0.85)), (0.2, (0.85, 0.75)))],
    *[auc_of(0.5, (0.85, 0.75), failing) for failing in ((FAILING, FAILING), (FAILING, 0.0))],
    *[
        calls_of(rare, ((0.85, 0.85), (0.75, 0.7)), metric)
        for metric in ("balanced accuracy", "F1")
        for rare in (0.5, 0.2)
    ],
)  # fmt: skip


def summary(cells: Iterable[Cell]) -> list[tuple[str, int, float, float]]:
    """Kind, patients, and the least coverage of ours without and with failures."""
    found: dict[tuple[str, int], dict[bool, float]] = {}
    for cell in cells:
        if cell.method == CHOSEN:
            least = found.setdefault((cell.kind, cell.patients), {})
            least[cell.failing] = min(least.get(cell.failing, 1.0), cell.coverage)
    return [(kind, patients, one[False], one.get(True, one[False])) for (kind, patients), one in found.items()]


def markdown(cells: list[Cell]) -> Iterator[str]:
    """A table per kind of figure: a row per scenario and method."""
    for kind in dict.fromkeys(cell.kind for cell in cells):
        own = [cell for cell in cells if cell.kind == kind]
        yield from (f"### {kind[0].upper()}{kind[1:]}", "")
        yield f"| figure | 10 % fail | method | {' | '.join(map(str, SIZES))} |"
        yield "|---" * (3 + len(SIZES)) + "|"
        for name, failing, method in dict.fromkeys((cell.scenario, cell.failing, cell.method) for cell in own):
            row = {
                one.patients: one for one in own if (one.scenario, one.failing, one.method) == (name, failing, method)
            }
            shown = [_shown(row[size]) if size in row else "–" for size in SIZES]
            yield f"| {name} | {'yes' if failing else 'no'} | {method} | {' | '.join(shown)} |"
        yield ""


def _shown(cell: Cell) -> str:
    return f"{100 * cell.coverage:.1f} ({100 * cell.above:.1f}, {100 * cell.below:.1f}), {cell.width:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    options = parser.parse_args()
    cells = [cell for one in SCENARIOS for size in SIZES for cell in one.cells(size, options.cohorts)]
    print("\n".join(markdown(cells)))
    least = summary(cells)
    if options.write:
        lines = [f"{kind},{size},{usual:.3f},{failing:.3f}" for kind, size, usual, failing in least]
        TABLE.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    result = {"benchmark": "coverage", "cohorts": options.cohorts, "resamples": RESAMPLES}
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in least]
    print(json.dumps({**result, "least": rows}))


if __name__ == "__main__":
    main()
