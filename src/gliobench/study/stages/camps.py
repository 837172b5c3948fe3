"""The planned comparisons of a study: which model stands for each camp, chosen on validation patients, and the camps
against one another on the test patients."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gliobench.integrity import source_digest
from gliobench.scoring.camps import CAMPS, DEFAULT_PAIRS, Camp
from gliobench.study.asking.aggregate import aggregations
from gliobench.study.asking.answers import answered_items, validation_answers
from gliobench.study.asking.questions import asked_slices
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context, Round
from gliobench.tasks.chain import steps
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    import pandas as pd

    from gliobench.records.record import Record
    from gliobench.scoring.planned import Side
    from gliobench.scoring.summary import Scores

CHOICES = ("task", "camp", "round", "model", "metric", "validation", "chosen")
Figures = Mapping[str, float]  # by task, its first metric on validation patients


@dataclass(frozen=True)
class Planned:
    """`comparisons`: the columns of `gliobench.scoring.planned.PLANNED`. `choices`: the columns of `CHOICES`, one row
    per candidate and round of every camp that has several."""

    comparisons: "pd.DataFrame"
    choices: "pd.DataFrame"


@dataclass(frozen=True)
class _StandIn:
    """Who stands for a camp: one model per round, mostly the same in all."""

    models: tuple[str, ...]

    @property
    def name(self) -> str:
        return " / ".join(dict.fromkeys(self.models))


def camps_inputs(context: Context) -> dict[str, Any]:
    """What decides the planned comparisons beside the answers, for the fingerprint of `score`."""
    study = context.study
    return {
        "code": source_digest(__name__),
        "comparisons": study.comparisons,
        "camps": {config.name: _camp(study, config) for config in study.models},
        "checkpoints": {config.name: config.checkpoint_source for config in study.models},
        "validated": {config.name: [config.validated(context, n) for n in context.folds] for config in study.models},
    }


def planned_comparisons(context: Context, scores: "Scores") -> Planned:
    """The study's pairs on each task's first metric; `scores` are of the test patients, whom no choice looks at."""
    import pandas as pd

    from gliobench.scoring.planned import compare_planned

    choice = _Choice(context, scores)
    planned = {task: list(_pairs(choice, task)) for task in context.study.tasks}
    comparisons = compare_planned(_composed(context, scores, choice), planned)
    return Planned(comparisons, pd.DataFrame(choice.rows, columns=list(CHOICES)))


def _camp(study: Study, config: ModelConfig) -> Camp | None:
    """The camp that a model may stand for: none where its own input is made with the truth."""
    return None if config.oracles(study) else config.stands_for


class _Choice:
    """Who stands for the camps in a task. `rows`: every candidate that was weighed."""

    def __init__(self, context: Context, scores: "Scores") -> None:
        self.context, self.scores = context, scores
        self.rows: list[tuple[Any, ...]] = []
        self.composed: dict[tuple[str, str], tuple[str, ...]] = {}  # by task and name, the models of several rounds
        self._known: dict[tuple[int, str], Figures] = {}
        self._made: dict[tuple[str, Camp], list[_StandIn]] = {}

    def stand_ins(self, task: str, camp: Camp) -> list[_StandIn]:
        """One where there is one candidate or validation patients chose; else every candidate."""
        if (task, camp) not in self._made:
            self._made[task, camp] = self._choose(task, camp)
        return self._made[task, camp]

    def candidates(self, task: str, camp: Camp) -> list[ModelConfig]:
        """The models of a camp that were scored on a task, in the order of the study file."""
        table = self.scores.summary
        scored = set(table.loc[table["task"] == task, "model"])
        study = self.context.study
        return [config for config in study.models if config.name in scored and _camp(study, config) == camp]

    def _choose(self, task: str, camp: Camp) -> list[_StandIn]:
        candidates = self.candidates(task, camp)
        rounds = self.context.rounds
        everyone = [_StandIn((config.name,) * len(rounds)) for config in candidates]
        if len(candidates) < 2:
            return everyone
        best = [self._best(task, camp, candidates, place) for place in range(len(rounds))]
        models = tuple(name for name in best if name is not None)
        if len(models) < len(rounds):
            return everyone
        chosen = _StandIn(models)
        if len(set(models)) > 1:
            self.composed[task, chosen.name] = models
        return [chosen]

    def _best(self, task: str, camp: Camp, candidates: Sequence[ModelConfig], place: int) -> str | None:
        """The candidate with the best first metric on the validation patients of a round; None where one has none."""
        from gliobench.scoring.planned import first_metric
        from gliobench.scoring.registry import named

        found = [self._figures(place, config) for config in candidates]
        judged_on = next(
            (one for one in (task, *self._sources(task, candidates)) if all(one in f for f in found)), None
        )
        if judged_on is None:
            for config in candidates:
                self.rows.append((task, camp, place, config.name, "", math.nan, False))
            return None
        metric = first_metric(judged_on)
        sign = -1 if named(metric).lower_is_better else 1
        best = max(range(len(candidates)), key=lambda one: sign * found[one][judged_on])  # the first of equals
        for number, config in enumerate(candidates):
            value = found[number][judged_on]
            self.rows.append((task, camp, place, config.name, f"{judged_on} {metric}", value, number == best))
        return candidates[best].name

    def _sources(self, task: str, candidates: Sequence[ModelConfig]) -> list[str]:
        """The tasks that the candidates answered for this one: a network's mask is judged as a mask."""
        table = self.scores.summary
        rows = table[(table["task"] == task) & table["model"].isin([config.name for config in candidates])]
        return [str(source) for source in dict.fromkeys(rows["source"])]

    def _figures(self, place: int, config: ModelConfig) -> Figures:
        if (place, config.name) not in self._known:
            round = self.context.rounds[place]
            self._known[place, config.name] = _from_training(self.context, config, round) | dict(
                _answered(self.context, config, round)
            )
        return self._known[place, config.name]


def _from_training(context: Context, config: ModelConfig, round: Round) -> dict[str, float]:
    """What a model's training left; the mean over the folds that answer together."""
    left = [config.validated(context, number) for number in round.folds]
    return {task: fmean(one[task] for one in left if task in one) for task in {task for one in left for task in one}}


def _answered(context: Context, config: ModelConfig, round: Round) -> Iterator[tuple[str, float]]:
    """The first metric of each task, by the answers about the round's validation patients; the mean over planes."""
    from gliobench.report.metrics import nearest
    from gliobench.scoring.intervals import Bootstrap
    from gliobench.scoring.planned import first_metric
    from gliobench.scoring.score import score_subject
    from gliobench.scoring.summary import summarise

    records: dict[str, list[Record]] = {}
    for record in validation_answers(context, config.name, round):
        records.setdefault(record.subject, []).append(record)
    if not records:
        return
    planes = {plane: asked_slices(context, plane, list(records)) for plane in context.study.slices.planes}
    scored = [
        score_subject(
            context.subjects[id],
            answered_items(context, context.subjects[id], own),
            {plane: by_subject.get(id, []) for plane, by_subject in planes.items()},
            aggregations=aggregations(context, round),
            every=context.study.slices.every,
        )
        for id, own in records.items()
    ]
    table = summarise(scored, Bootstrap(resamples=2), context.study.problem).summary
    for task in context.study.tasks:
        value = nearest(table, task, first_metric(task))["value"].mean()
        if math.isfinite(value):
            yield task, float(value)


def _pairs(choice: _Choice, task: str) -> Iterator[tuple["Side", "Side"]]:
    """The planned pairs of a task, each once."""
    found: dict[frozenset[str], tuple[Side, Side]] = {}
    for sides in _wanted(choice, task):
        for a, b in product(*sides):
            found.setdefault(frozenset((a.model, b.model)), (a, b))
    yield from (pair for names, pair in found.items() if len(names) > 1)


def _wanted(choice: _Choice, task: str) -> Iterator[tuple[list["Side"], list["Side"]]]:
    """Who is compared with whom, in the order of the table."""
    study = choice.context.study
    for a, b in study.comparisons if study.comparisons is not None else DEFAULT_PAIRS:
        yield _sides(choice, task, a), _sides(choice, task, b)
    for tuned, general in _own_versions(study) if study.comparisons is None else ():
        yield [_side(study, tuned)], [_side(study, general)]


def _own_versions(study: Study) -> Iterator[tuple[ModelConfig, ModelConfig]]:
    """Each fine-tuned model and the general model of the same checkpoint that is shown the same."""
    parts = [config for config in study.models if config.checkpoint_source is not None]
    for tuned, general in product(parts, parts):
        if (_camp(study, tuned), _camp(study, general)) == ("fine-tuned", "general"):
            alike = tuned.checkpoint_source == general.checkpoint_source and tuned.picture == general.picture
            if alike:
                yield tuned, general


def _sides(choice: _Choice, task: str, named: str) -> list["Side"]:
    """All who stand for a camp, or a model by its name; a study names no model like a camp that it compares."""
    from gliobench.scoring.planned import Side

    if named in CAMPS:
        camp = CAMPS[CAMPS.index(named)]
        return [Side(one.name, camp) for one in choice.stand_ins(task, camp)]
    study = choice.context.study
    return [_side(study, config) for config in study.models if config.name == named]


def _side(study: Study, config: ModelConfig) -> "Side":
    from gliobench.scoring.planned import Side

    return Side(config.name, _camp(study, config))


def _composed(context: Context, scores: "Scores", choice: _Choice) -> "Scores":
    """The scores, and under one name the test patients of each round as the model answered that was chosen there, in
    the planes that all of these have."""
    import pandas as pd

    from gliobench.scoring.summary import Scores

    tested = [{*round.test, *(context.patients[id] for id in round.test)} for round in context.rounds]
    rows, votes = [scores.per_subject], [scores.votes]
    for (task, name), models in choice.composed.items():
        own = [_answered_nearest(scores.per_subject, model, task) for model in models]
        rows.append(_as_one(name, own, tested))
        if task == GRADE.name:
            votes.append(_as_one(name, [scores.votes[scores.votes["model"] == model] for model in models], tested))
    whole = [pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0] for parts in (rows, votes)]
    whole[1].attrs = scores.votes.attrs
    return Scores(whole[0], scores.summary, whole[1])


def _answered_nearest(table: "pd.DataFrame", model: str, task: str) -> "pd.DataFrame":
    """A model's rows on a task, from the answered task that is nearest to it."""
    own = table[(table["model"] == model) & (table["task"] == task)]
    nearest: pd.DataFrame = own[own["source"] == min(own["source"].unique(), key=lambda source: steps(source, task))]
    return nearest


def _as_one(name: str, tables: Sequence["pd.DataFrame"], tested: Sequence[Collection[str]]) -> "pd.DataFrame":
    """One model's rows: of each table those of its round's patients."""
    import pandas as pd

    planes = set.intersection(*(set(table["plane"]) for table in tables))
    parts = [
        table[table["subject"].isin(whose) & table["plane"].isin(planes)]
        for table, whose in zip(tables, tested, strict=True)
    ]
    whole = pd.concat(parts).assign(model=name)
    if "source" in whole.columns:  # else a comparison would take the patients of one of them alone
        whole["source"] = " / ".join(dict.fromkeys(whole["source"]))
    return whole
