"""Held answers or masks: nobody is asked, and reading takes moments."""

from gliobench.models.errors import ModelError
from gliobench.replay.errors import ReplayError
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.plan.amounts import Amount, Missing, ModelPlan, Step, worst
from gliobench.study.plan.counts import questions_by_place
from gliobench.study.plan.ground import Ground
from gliobench.study.plan.kinds.trivial import voxels
from gliobench.study.replayed import held_digest

QUESTION_SECONDS = 0.01


def plan_replay(ground: Ground, part: ReplayModel) -> ModelPlan:
    """What held answers take, and what is wrong with their files."""
    counts = ground.counts
    if part.masks is None:
        number = sum(questions_by_place(counts, part, ground.context.study).values())
        questions, masks = Amount(number, worst(counts.basis, counts.slices_basis)), 0.0
    else:
        questions = Amount(len(ground.tested_on("mask")), counts.basis)
        masks = questions.value * voxels(ground) / 8
    hours = ground.stamped(f"predict-{part.name}", QUESTION_SECONDS * questions.value)
    step = Step("predict", part.name, ground.tested, questions=questions, hours_here=hours)
    return ModelPlan((step,), missing=_unfit(part), mask_bytes=masks)


def _unfit(part: ReplayModel) -> tuple[Missing, ...]:
    try:
        held_digest(part)
    except (ReplayError, ModelError) as error:
        return (Missing(part.name, f"held answers: {error}"),)
    return ()
