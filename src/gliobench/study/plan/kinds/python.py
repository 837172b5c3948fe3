"""A person's own class: how many questions it is asked; how long it takes, nobody knows before it has run once."""

from gliobench.models.errors import ModelError
from gliobench.study.kinds.python import PythonModel
from gliobench.study.plan.amounts import Amount, Missing, ModelPlan, Step, worst
from gliobench.study.plan.ground import Ground
from gliobench.study.plan.kinds.trivial import voxels

QUESTION_SECONDS = 1.0


def plan_python(ground: Ground, part: PythonModel) -> ModelPlan:
    """What a class of the user's own takes."""
    try:
        model = part.load()
    except ModelError as error:
        return ModelPlan((), missing=(Missing(part.name, str(error)),))
    counts, tasks = ground.counts, [task for task in ground.context.study.tasks if task in model.tasks]
    if model.per_slice:
        number = sum(by.get(id, 0) for task in tasks for by in counts.slices.values() for id in ground.tested_on(task))
        questions = Amount(number, worst(counts.basis, counts.slices_basis))
    else:
        questions = Amount(sum(len(ground.tested_on(task)) for task in tasks), counts.basis)
    hours = ground.stamped(f"predict-{part.name}", QUESTION_SECONDS * questions.value)
    step = Step("predict", part.name, ground.tested, questions=questions, hours_here=hours)
    masks = len(ground.tested_on("mask")) * voxels(ground) / 8 if "mask" in tasks and not model.per_slice else 0.0
    said = f"{part.name}: a second a question is assumed, before it has run once."
    return ModelPlan((step,), mask_bytes=masks, said=(said,))
