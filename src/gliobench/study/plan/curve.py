"""What the learning curves of a study take: every model's own plan, with the training patients of each size."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gliobench.study.kinds.base import ModelConfig
from gliobench.study.plan.estimates import SCORE_SECONDS, Estimate, Files, ModelPlan, Step, hours, total
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.state.context import Round
from gliobench.study.state.curve import Draws, Point, at_point, curve_models, points_of

TOTALS = (
    *("images", "questions", "text_tokens_in", "image_tokens_in", "tokens_out"),
    *("hours_here", "hours_there", "money"),
)


def curve_plan(plan_inputs: PlanInputs) -> ModelPlan:
    """A step for each model that learns. What is done already is measured in the first repeat of each size."""
    study, counts = plan_inputs.context.study, plan_inputs.counts
    if study.learning_curve is None or not counts.rounds:
        return ModelPlan()
    patients = counts.patients.values()
    draws = Draws(
        {one.id: one.grade for one in patients if any(map(one.teaches, study.tasks))},
        counts.whose(list(counts.patients)),
        {one.id: study.split.unit(one.patient, one.variables) for one in patients},
        study.split.seed,
    )
    folds = {number: fold for round in counts.rounds for number, fold in round.folds.items()}
    points, left = points_of(study, folds, draws)
    learning, _, without = curve_models(study)
    sizes = [point for point in points if point.repeat == 0]
    planned = [(config, _plans(plan_inputs, draws, config, sizes)) for config in learning]
    repeats = study.learning_curve.repeats
    names = ", ".join(config.name for config in learning) or "no model"
    said = f"Learning curves of {names}: {len(sizes)} sizes, {repeats} times each, in every fold in use."
    return ModelPlan(
        tuple(branch_step(plan_inputs, "curve", config, plans, repeats) for config, plans in planned),
        tuple(one for config, plans in planned for one in _files(plan_inputs, config, plans, repeats)),
        mask_bytes=sum(plan.mask_bytes for _, plans in planned for plan in plans) * repeats,
        said=(said, *(f"{sentence}." for sentence in (*left, *without))),
    )


def _plans(plan_inputs: PlanInputs, draws: Draws, config: ModelConfig, points: Sequence[Point]) -> list[ModelPlan]:
    return [config.plan(_at(plan_inputs, draws, config, point)) for point in points]


def _at(plan_inputs: PlanInputs, draws: Draws, config: ModelConfig, point: Point) -> PlanInputs:
    rounds = []
    for round in plan_inputs.counts.rounds:
        folds = round.folds if config.trains else dict([next(iter(round.folds.items()))])
        rounds.append(Round(draws.of(folds, point.size, point.repeat)))
    return replace(
        plan_inputs,
        context=at_point(plan_inputs.context, config, point),
        counts=replace(plan_inputs.counts, rounds=tuple(rounds)),
    )


def branch_step(
    plan_inputs: PlanInputs, verb: str, config: ModelConfig, plans: Sequence[ModelPlan], repeats: int
) -> Step:
    """All branches of a model as one step: each of its `plans`, and scoring, so many times."""
    score = Step("score", config.name, plan_inputs.tested, hours_here=hours(plan_inputs.tested.value * SCORE_SECONDS))
    steps = [step for plan in plans for step in (*plan.steps, score)]
    memory = [step.gpu_memory_gib for step in steps if step.gpu_memory_gib]
    return Step(
        verb,
        config.name,
        plan_inputs.tested,
        gpu_memory_gib=max(memory, key=lambda one: one.value) if memory else None,
        currency=next((step.currency for step in steps if step.currency), ""),
        **{name: times(total(getattr(step, name) for step in steps), repeats) for name in TOTALS},
    )


def _files(plan_inputs: PlanInputs, config: ModelConfig, plans: Sequence[ModelPlan], repeats: int) -> Iterator[Files]:
    """What the points keep themselves; checkpoints and features are the study's."""
    own = str(plan_inputs.context.folder.curve(config.name))
    size = times(total(one.gib for plan in plans for one in plan.files if one.where.startswith(own)), repeats)
    if size:
        yield Files(f"learning curve of {config.name}", own, size)


def times(amount: Estimate | None, count: int) -> Estimate | None:
    """An estimate so many times; None where it is not known."""
    return None if amount is None else replace(amount, value=amount.value * count)
