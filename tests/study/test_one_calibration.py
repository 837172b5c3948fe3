"""The same scores make the same calls, whatever kind of model gives them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from tests.models.asked import subject
from tests.scoring.test_score import make_subject

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.operating_point import OperatingPoint, calibrated
from gliobench.models.classical import grade as classical
from gliobench.models.vision import probe
from gliobench.scoring.aggregate import Slices
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.score import Item, score_subject
from gliobench.scoring.summary import summarise
from gliobench.study.asking import aggregate
from gliobench.study.showing.report import without_spread
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade
from gliobench.training import fit
from gliobench.training.objectives import make_objective

TRAIN = [replace(subject(), id=f"T{n}", patient=f"T{n}", grade=n % 2) for n in range(8)]
TRUTH = np.array([1] * 30 + [0] * 20)
VALIDATION = [replace(subject(), id=f"V{n}", patient=f"V{n}", grade=int(grade)) for n, grade in enumerate(TRUTH)]

Given = dict[str, float]  # the score of each patient


class Echo(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that has nothing to learn: the score is the feature."""

    def fit(self, rows: np.ndarray, grades: np.ndarray) -> "Echo":
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.predict_proba(rows).argmax(axis=1)

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([1 - rows[:, 0], rows[:, 0]], axis=1)


def by_classical(given: Given, monkeypatch: pytest.MonkeyPatch) -> OperatingPoint:
    monkeypatch.setattr(classical, "_voters", lambda *_: Echo())
    row: Callable[..., Any] = lambda one, region: np.array([given[one.id]])  # noqa: E731
    return classical.fit_grader("it", "crop", TRAIN, VALIDATION, row).decision


def by_probe(given: Given, monkeypatch: pytest.MonkeyPatch) -> OperatingPoint:
    monkeypatch.setattr(probe, "_regression", lambda strength: Echo())
    return probe.fit_probe("it", "mean", TRAIN, VALIDATION, lambda one: np.array([[given[one.id]]]), {}).decision


def by_network(given: Given, monkeypatch: pytest.MonkeyPatch) -> OperatingPoint:
    scores = iter([given[one.id] for one in VALIDATION])
    for name in ("restore", "load_tensors"):
        monkeypatch.setattr(fit, name, lambda *_: ({},))
    monkeypatch.setattr(fit, "probabilities", lambda *_, **__: torch.tensor([next(scores)], dtype=torch.float64))
    settings = SimpleNamespace(threshold=None, augment=False, intensities="z-score")
    job: Any = SimpleNamespace(
        network="grade-resnet", settings=settings, validation=VALIDATION, window=None, out=Path(), regions="whole"
    )
    job.objective = make_objective("grade", (), job.settings)
    learner: Any = SimpleNamespace(averaged=SimpleNamespace(module=torch.nn.Identity()))
    return fit._decide(job, learner)[0][0]


def by_aggregate(given: Given, monkeypatch: pytest.MonkeyPatch) -> OperatingPoint:
    slices = {one.id: Slices(given[one.id], 1, 0) for one in VALIDATION}
    monkeypatch.setattr(aggregate, "_validation_slices", lambda *_: slices)
    context: Any = SimpleNamespace(study=SimpleNamespace(problem=GLIOMA), subjects={one.id: one for one in VALIDATION})
    nobody: Any = None
    return aggregate._learn(context, [], nobody, "axial", by_scores=True).aggregation.decision


def scores_of(patients: list[PreparedSubject], apart: float) -> Given:
    """Of two overlapping normals, `apart` times as high for HGG as for LGG."""
    random = np.random.default_rng(0)
    return {one.id: 1 / (1 + np.exp(-random.normal(apart * ((one.grade or 0) - 0.4), 1))) for one in patients}


@pytest.mark.parametrize(
    ("given", "learnt"),
    [
        (scores_of([*TRAIN, *VALIDATION], 1.5), True),
        (scores_of([*TRAIN, *VALIDATION], -1.5), False),
        ({one.id: 0.7777 for one in (*TRAIN, *VALIDATION)}, False),
    ],
    ids=["in order", "reversed", "all the same"],
)
def test_the_same_scores_make_the_same_calls(given: Given, learnt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [one(given, monkeypatch) for one in (by_classical, by_probe, by_network, by_aggregate)]
    assert all((one.slope, one.offset, one.threshold) == pytest.approx(_figures(found[0])) for one in found)
    assert (found[0] != OperatingPoint()) == learnt
    # Everybody's call is the same too: with nothing learnt it is made at one half.
    calls = [[calibrated(score, one) >= one.threshold for score in given.values()] for one in found]
    assert all(one == calls[0] for one in calls)
    if not learnt:
        assert calls[0] == [score >= 0.5 for score in given.values()]


def test_the_report_says_whose_probabilities_do_not_spread() -> None:
    answer, scored = Answered(Grade(1)), []
    for n in range(6):
        both = [Item("flat", "grade", None, answer, 0.7777), Item("m", "grade", None, answer, 0.5 + 0.05 * n)]
        scored.append(score_subject(make_subject(f"P{n}", n % 2), both, {}))
    tables = summarise(scored, Bootstrap(resamples=2))
    (note,) = without_spread(tables.summary)
    assert note.startswith("flat, volume: all probabilities lie within 0.01")


def _figures(decision: OperatingPoint) -> tuple[float, float, float]:
    return decision.slope, decision.offset, decision.threshold
