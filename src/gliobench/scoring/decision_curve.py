"""Decision curves: the net benefit of acting on a model's probabilities, against acting on everybody and on nobody.

Vickers and Elkin (2006), doi:10.1177/0272989X06295361. At a threshold probability t everybody with a probability of
the positive class of at least t is acted on, and one true positive is worth (1 - t) / t false positives:

    net benefit = true positives / n - false positives / n * t / (1 - t)
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliobench.cohort.problem import Problem
from gliobench.scoring.intervals import Bootstrap, Figure, Scale, Scans

THRESHOLDS = np.arange(1, 100) / 100
COLUMNS = (
    *("model", "plane", "class", "threshold", "net_benefit", "low", "high", "interval", "reason"),
    *("treat_all", "treat_none", "n_subjects"),
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def decision_curves(
    summary: pd.DataFrame, votes: pd.DataFrame, problem: Problem, bootstrap: Bootstrap | None = None
) -> pd.DataFrame:
    """The table of `COLUMNS`, one row per threshold for each model and plane that has a Brier score in `summary`: those
    that give probabilities. `votes`: the table of votes. Empty where the problem has no positive class.

    A patient without a usable answer counts as certain of the wrong class, as in the Brier score.
    """
    if not problem.classes or (problem.several and not problem.positive):
        return pd.DataFrame(columns=list(COLUMNS))
    scored = summary.loc[summary["metric"] == "brier", ["model", "plane"]].drop_duplicates()
    known = votes[votes["grade"].notna()]
    rows = []
    for model, plane in scored.itertuples(index=False):
        own = known[(known["model"] == model) & (known["plane"] == plane)]
        rows += list(_rows(own, problem, bootstrap or Bootstrap(), str(model), str(plane)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(
    votes: pd.DataFrame, problem: Problem, bootstrap: Bootstrap, model: str, plane: str
) -> Iterator[dict[str, object]]:
    positive = problem.positive_class
    column = f"score_{problem.class_columns[positive]}" if problem.several else "score"
    truth = votes["grade"].to_numpy(dtype=np.intp) == positive
    whose = [str(one) for one in votes["patient" if "patient" in votes else "subject"]]
    figures = net_benefits(truth, votes[column].to_numpy(dtype=np.float64), whose, bootstrap)
    prevalence = float(np.average(truth, weights=Scans.of(whose).share)) if whose else math.nan
    for threshold, figure in zip(THRESHOLDS, figures, strict=True):
        yield {
            "model": model,
            "plane": plane,
            "class": problem.classes[positive],
            "threshold": float(threshold),
            "net_benefit": figure.value,
            "low": figure.low,
            "high": figure.high,
            "interval": figure.interval,
            "reason": figure.reason,
            "treat_all": prevalence - (1 - prevalence) * float(odds_of(threshold)),
            "treat_none": 0.0,
            "n_subjects": len(set(whose)),
        }


def odds_of(threshold: Floats) -> Floats:
    """What a false positive costs in true positives at a threshold probability."""
    return threshold / (1 - threshold)


def net_benefits(
    truth: Bools, probability: Floats, whose: Sequence[str], bootstrap: Bootstrap, thresholds: Floats = THRESHOLDS
) -> list[Figure]:
    """The net benefit at each threshold, with its 95 % interval over patients.

    `truth`, `probability`: (scans,) whether each is positive, and the probability of that; `whose`: the patient of each
    scan, so that patients have equal weights. Of a patient a net benefit is 1 (a true positive), 0 or -t / (1 - t) (a
    false positive): with these as the ends of its scale it has the bootstrap of every bounded mean.
    """
    odds = odds_of(thresholds)
    acted_on = probability[:, None] >= thresholds
    worth = np.where(acted_on, np.where(truth[:, None], 1.0, -odds), 0.0)
    scales = [Scale("", -float(one), 1) for one in odds]
    patients = [len(set(whose))] * len(scales)

    def mean(weights: Floats) -> Floats:
        found: Floats = weights @ worth / weights.sum(axis=1, keepdims=True)
        return found

    return bootstrap.figures_of_scans(mean, whose, scales, patients)
