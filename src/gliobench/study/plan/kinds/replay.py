"""Held answers or masks: nobody is asked, and reading takes moments."""

from gliobench.study.kinds.replay import ReplayModel
from gliobench.study.plan.amounts import Amount, ModelPlan, Step, worst
from gliobench.study.plan.counts import questions_by_place
from gliobench.study.plan.ground import Ground
from gliobench.study.plan.kinds.trivial import voxels

QUESTION_SECONDS = 0.01


def plan_replay(ground: Ground, part: ReplayModel) -> ModelPlan:
    """What held answers take."""
    counts = ground.counts
    if part.masks is None:
        number = sum(questions_by_place(counts, part, ground.context.study).values())
        questions, masks = Amount(number, worst(counts.basis, counts.slices_basis)), 0.0
    else:
        questions = Amount(len(ground.tested_on("mask")), counts.basis)
        masks = questions.value * voxels(ground) / 8
    hours = ground.stamped(f"predict-{part.name}", QUESTION_SECONDS * questions.value)
    step = Step("predict", part.name, ground.tested, questions=questions, hours_here=hours)
    return ModelPlan((step,), mask_bytes=masks)
