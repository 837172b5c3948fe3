"""How each language model's slices become a patient's grade: as its entry says, and as validation patients taught."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gliobench.cohort.subject import HGG
from gliobench.grid.frame import Plane
from gliobench.scoring.aggregate import MAJORITY, Aggregation
from gliobench.study.asking.answers import answered_items, current_answers, validation_answers
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context, Round, StageError
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.models.base.operating_point import OperatingPoint
    from gliobench.records.record import Record
    from gliobench.scoring.aggregate import Slices


@dataclass(frozen=True)
class Chosen:
    """What is in force for one model and plane in one round; `why` says how it was estimated, or why it was not."""

    aggregation: Aggregation
    why: str


def aggregations(context: Context, round: Round) -> dict[tuple[str, str], Aggregation]:
    """By model and plane, how grades follow from slices, where the majority does not decide."""
    return {place: chosen.aggregation for place, chosen in _choose(context, round).items()}


def aggregation_notes(context: Context) -> Iterator[str]:
    """One sentence per model, plane and round: the aggregation in use, and how it was estimated."""
    for round in context.rounds:
        where = f" (tested: fold {next(iter(round.folds))})" if len(context.rounds) > 1 else ""
        for (model, plane), chosen in _choose(context, round).items():
            yield f"{model}, {plane}{where}: a patient's grade by {chosen.aggregation.name}{chosen.why}."


def _choose(context: Context, round: Round) -> Mapping[tuple[str, str], Chosen]:
    chosen: dict[tuple[str, str], Chosen] = {}
    for config in context.study.models:
        if config.aggregation != "majority" and GRADE.name in config.spoken_tasks:
            for plane in context.study.slices.planes:
                chosen[config.name, str(plane)] = _of(context, config, round, plane)
    return chosen


def _of(context: Context, config: ModelConfig, round: Round, plane: Plane) -> Chosen:
    asked = [record for record in current_answers(context, config.name) if record.task == GRADE.name]
    scored = any(record.score is not None for record in asked)
    if config.aggregation == "learned":
        return _learn(context, validation_answers(context, config.name), round, plane, by_scores=scored)
    if asked and not scored:
        raise StageError(
            f"{config.name}: aggregate: mean-probability needs a probability with each slice's grade, and none of its "
            f"{len(asked)} answers has one; let it answer by choice or with log-probabilities, fill the column "
            "`probability` of a table, or aggregate by majority"
        )
    return Chosen(Aggregation("mean-probability", "scores"), "")


def _learn(context: Context, records: Sequence["Record"], round: Round, plane: Plane, *, by_scores: bool) -> Chosen:
    """Slope, offset and threshold from the round's validation patients; as the slices come where they cannot teach."""
    import numpy as np

    from gliobench.models.base.calibration import learn_operating_point

    how = Aggregation("learned", "scores" if by_scores else "votes")
    taught = [
        (slices.mean, context.subjects[id].grade)
        for id, slices in _validation_slices(context, records, round, plane, how).items()
        if slices.mean is not None and context.subjects[id].grade is not None
    ]
    truth = np.array([grade == HGG for _, grade in taught], dtype=bool)
    decision, fault = learn_operating_point(np.array([mean for mean, _ in taught], dtype=float), truth)
    counts = f"{int((~truth).sum())} LGG and {int(truth.sum())} HGG validation patients"
    if fault:
        instead = Aggregation("mean-probability", "scores") if by_scores else MAJORITY
        return Chosen(instead, f", not learned: {counts} answered, {fault}")
    return Chosen(Aggregation("learned", how.by, decision), f" from {_words(how, decision)}, on {counts}")


def _words(how: Aggregation, decision: "OperatingPoint") -> str:
    source = "the mean probability of the slices" if how.by == "scores" else "the share of HGG among the votes"
    return f"{source}: logit times {decision.slope:.3g} plus {decision.offset:.3g}, HGG from {decision.threshold:g} on"


def _validation_slices(
    context: Context, records: Sequence["Record"], round: Round, plane: Plane, how: Aggregation
) -> dict[str, "Slices"]:
    from gliobench.scoring.score import slices_together

    own: dict[str, list[Record]] = {id: [] for id in round.validation}
    for record in records:
        if record.plane == plane and record.subject in own:
            own[record.subject].append(record)
    return {
        id: slices_together(list(answered_items(context, context.subjects[id], mine)), how)
        for id, mine in own.items()
        if mine
    }
