"""What further seeds take: every model's own plan again."""

from gliobench.study.plan.curve import branch_step, times
from gliobench.study.plan.estimates import Files, ModelPlan, total
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.state.seeds import seeded_models


def seeds_plan(plan_inputs: PlanInputs) -> ModelPlan:
    """A step for each model that a seed changes."""
    study, counts = plan_inputs.context.study, plan_inputs.counts
    if study.seeds is None or not counts.rounds:
        return ModelPlan()
    models, left = seeded_models(study)
    further = study.seeds - 1
    planned = [(config, config.plan(plan_inputs)) for config in models]
    folder = str(plan_inputs.context.folder.root / "networks")
    sizes = [
        (config, times(total(one.gib for one in plan.files if one.where == folder), further))
        for config, plan in planned
    ]
    names = ", ".join(config.name for config in models) or "no model"
    return ModelPlan(
        tuple(branch_step(plan_inputs, "seeds", config, [plan], further) for config, plan in planned),
        tuple(
            Files(f"further seeds of {config.name}", str(plan_inputs.context.folder.seeds(config.name)), size)
            for config, size in sizes
            if size
        ),
        mask_bytes=sum(plan.mask_bytes for _, plan in planned) * further,
        said=(f"Seeds: {names} {further} more times.", *(f"{sentence}." for sentence in left)),
    )
