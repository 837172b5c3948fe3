"""Grade models that answer together: in a run each member is built and asked once more."""

from gliobench.study.kinds.together import TogetherModel
from gliobench.study.plan.amounts import Amount, Missing, ModelPlan, Step
from gliobench.study.plan.ground import Ground, total


def plan_together(ground: Ground, part: TogetherModel) -> ModelPlan:
    """What models that answer together take: nothing is learnt, and every member answers again."""
    members = part.members(ground.context.study)
    again = [step for one in members for step in one.plan(ground).steps if step.stage == "predict"]
    seconds = 3600 * sum(step.hours_here.value for step in again if step.hours_here)
    step = Step(
        "predict",
        part.name,
        ground.tested,
        questions=Amount(len(ground.tested_on("grade")), ground.counts.basis),
        gpu_memory_gib=total(step.gpu_memory_gib for step in again),
        hours_here=ground.stamped(f"predict-{part.name}", seconds),
        hours_there=total(step.hours_there for step in again),
    )
    unfit = [one for one in members if not one.calibrated]
    problems = (Missing(part.name, f"{one.name} gives no calibrated probability of a grade") for one in unfit)
    said = f"{part.name}: each of {', '.join(part.of)} is asked again, and all are in memory at once."
    return ModelPlan((step,), missing=tuple(problems), said=(said,))
