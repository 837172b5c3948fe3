"""What other prompts and views take: every language model's own plan with each of them."""

from gliobench.study.plan.curve import branch_step
from gliobench.study.plan.estimates import ModelPlan
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.state.variants import variant_entry, variants_of, varied_models


def sensitivity_plan(plan_inputs: PlanInputs) -> ModelPlan:
    """A step for each model that is asked otherwise."""
    study = plan_inputs.context.study
    variants = variants_of(study)
    if not variants or not plan_inputs.counts.rounds:
        return ModelPlan()
    models, left = varied_models(study)
    planned = [(config, [variant_entry(config, one).plan(plan_inputs) for one in variants]) for config in models]
    names = ", ".join(config.name for config in models) or "no model"
    return ModelPlan(
        tuple(branch_step(plan_inputs, "sensitivity", config, plans, 1) for config, plans in planned),
        said=(
            f"Sensitivity of {names}: {', '.join(f'{one.key} {one.name}' for one in variants)}.",
            *(f"{sentence}." for sentence in left),
        ),
    )
