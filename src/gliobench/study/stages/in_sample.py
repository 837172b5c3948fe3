"""What a trained network is worth, part by part of the split: on the patients that it knows, and, where every setting
of a sweep is to be tested, on the test patients."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import write_json
from gliobench.models.base.prediction import Prediction, Question
from gliobench.study.state.context import read_stage
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK

if TYPE_CHECKING:
    from gliobench.scoring.intervals import Bootstrap

FIGURES = "figures.json"
MOST = 40  # training patients that are asked: of a hundred, the figures would take as long as the training
# The figures that the reference study prints of a network, and balanced accuracy, in its order.
METRICS = {
    GRADE.name: ("accuracy", "balanced_accuracy", "f1", "macro_f1", "precision", "recall", "auc", "specificity"),
    MASK.name: ("dice", "hd95_mm", "precision", "recall", "specificity"),
}
# By metric: `value` (None: not defined), `low` and `high` of its 95 % interval (None: there is none), `n` patients.
Figures = dict[str, dict[str, float | int | None]]


def drawn(train: Sequence[PreparedSubject], seed: int) -> list[PreparedSubject]:
    """At most 40 of the training patients, drawn by the seed."""
    if len(train) <= MOST:
        return list(train)
    places = np.random.default_rng(seed).choice(len(train), MOST, replace=False)
    return [train[place] for place in sorted(places)]


def write_figures(folder: Path, name: str, task: str, parts: Mapping[str, Sequence[PreparedSubject]]) -> None:
    """Ask the network in `folder`, as it answers about test patients, about those of each part, such as "training",
    and leave the figures in `figures.json` beside it, without intervals: they are no claim about others."""
    from gliobench.models.networks.trained import load_network
    from gliobench.scoring.intervals import Bootstrap

    network, found = load_network([folder], name), {}
    for config, subjects in parts.items():
        answers = network.predict_in_sample([Question(subject, task, None) for subject in subjects])
        figures = figures_of(task, answers, Bootstrap(resamples=2))
        found[config] = {metric: {"value": one["value"], "n": one["n"]} for metric, one in figures.items()}
    write_json(folder / FIGURES, {"task": task, "figures": found})


def figures_of(task: str, predictions: Iterable[Prediction], bootstrap: "Bootstrap | None" = None) -> Figures:
    """`METRICS` of answers about whole patients, by the study's own scoring; `bootstrap` as `summarise` takes it."""
    from gliobench.scoring.score import VOLUME, Item, score_subject
    from gliobench.scoring.summary import summarise

    scored = (
        score_subject(one.question.subject, [Item("it", task, None, one.answer, one.score, one.probabilities)], {})
        for one in predictions
    )
    table = summarise(scored, bootstrap).summary
    rows = table[(table["task"] == task) & (table["source"] == task) & (table["plane"] == VOLUME)]
    columns = (rows[name] for name in ("metric", "value", "low", "high", "n_subjects"))
    found: Figures = {
        str(metric): {"value": _or_none(value), "low": _or_none(low), "high": _or_none(high), "n": int(n)}
        for metric, value, low, high, n in zip(*columns, strict=True)
    }
    return {metric: found[metric] for metric in METRICS[task] if metric in found}  # some are of two classes only


def validation_figures(folder: Path) -> dict[str, float]:
    """The first metric of the task that the network in `folder` learnt, on its validation patients; nothing where it
    is not defined, or an earlier version left none."""
    from gliobench.report.metrics import primary

    if not (folder / FIGURES).is_file():
        return {}
    left = read_stage(folder / FIGURES, "train", "task", "figures")
    value = left["figures"].get("validation", {}).get(primary(left["task"])[0], {}).get("value")
    return {} if value is None else {left["task"]: float(value)}


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
