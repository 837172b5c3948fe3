"""How each language model's slices become a patient's grade: as its entry says, and as validation patients taught."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gliobench.cohort.problem import Problem
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
    asked = context.study.problem.asked
    for round in context.rounds:
        where = f" (tested: fold {next(iter(round.folds))})" if len(context.rounds) > 1 else ""
        for (model, plane), chosen in _choose(context, round).items():
            yield f"{model}, {plane}{where}: a patient's {asked} by {chosen.aggregation.name}{chosen.why}."


def _choose(context: Context, round: Round) -> Mapping[tuple[str, str], Chosen]:
    chosen: dict[tuple[str, str], Chosen] = {}
    for config in context.answering:
        if config.aggregation != "majority" and GRADE.name in config.spoken_tasks:
            for plane in context.study.slices.planes:
                chosen[config.name, str(plane)] = _of(context, config, round, plane)
    return chosen


def _of(context: Context, config: ModelConfig, round: Round, plane: Plane) -> Chosen:
    asked = [record for record in current_answers(context, config.name) if record.task == GRADE.name]
    scored = any(_has_probability(record) for record in asked)
    if config.aggregation == "learned":
        return _learn(context, validation_answers(context, config.name, round), round, plane, by_scores=scored)
    if asked and not scored:
        raise StageError(
            f"{config.name}: aggregate: mean-probability needs a probability with each slice's "
            f"{context.study.problem.asked}, and none of its "
            f"{len(asked)} answers has one; let it answer by choice or with log-probabilities, fill the column "
            f"`{_column(context.study.problem)}` of a table, or aggregate by majority"
        )
    return Chosen(Aggregation("mean-probability", "scores"), "")


def _learn(context: Context, records: Sequence["Record"], round: Round, plane: Plane, *, by_scores: bool) -> Chosen:
    """The operating point from the round's validation patients; as the slices come where they cannot teach."""
    import numpy as np

    from gliobench.models.base.calibration import learn_operating_point

    how, problem = Aggregation("learned", "scores" if by_scores else "votes"), context.study.problem
    taught = [
        (slices.mean, grade)
        for id, slices in _validation_slices(context, records, round, plane, how).items()
        if slices.mean is not None and (grade := context.subjects[id].grade) is not None
    ]
    truth = np.array([grade for _, grade in taught], dtype=np.int_)
    decision, fault = learn_operating_point(np.array([mean for mean, _ in taught], dtype=float), truth, problem)
    counts = f"{problem.counted(truth.tolist())} validation patients"
    if fault:
        instead = Aggregation("mean-probability", "scores") if by_scores else MAJORITY
        return Chosen(instead, f", not learned: {counts} answered, {fault}")
    return Chosen(Aggregation("learned", how.by, decision), f" from {_words(how, decision, problem)}, on {counts}")


def _has_probability(record: "Record") -> bool:
    return record.score is not None or record.probabilities is not None


def _column(problem: Problem) -> str:
    return "probability" if len(problem.classes) == 2 else "probabilities"


def _words(how: Aggregation, decision: "OperatingPoint", problem: Problem) -> str:
    two, positive = len(problem.classes) == 2, problem.classes[problem.positive_class]
    votes = f"the share of {positive if two else 'each ' + problem.asked} among the votes"
    source = "the mean probability of the slices" if how.by == "scores" else votes
    if not two:
        return f"{source}, with the temperature {1 / decision.slope:.3g}"
    return (
        f"{source}: logit times {decision.slope:.3g} plus {decision.offset:.3g}, "
        f"{positive} from {decision.threshold:g} on"
    )


def _validation_slices(
    context: Context, records: Sequence["Record"], round: Round, plane: Plane, how: Aggregation
) -> dict[str, "Slices"]:
    from gliobench.scoring.score import slices_together

    own: dict[str, list[Record]] = {id: [] for id in round.validation}
    for record in records:
        if record.plane == plane and record.subject in own:
            own[record.subject].append(record)
    return {
        id: slices_together(list(answered_items(context, context.subjects[id], mine)), how, context.study.problem)
        for id, mine in own.items()
        if mine
    }
