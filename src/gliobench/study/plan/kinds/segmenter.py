"""A promptable segmenter: slices that are asked about, and those of them in which it is pointed somewhere."""

from gliobench.study.context import StageError
from gliobench.study.kinds.segmenter import SegmenterModel
from gliobench.study.kinds.vision import TRUTH
from gliobench.study.plan.amounts import Amount, ModelPlan, worst
from gliobench.study.plan.ground import Ground
from gliobench.study.plan.vision import checkpoint_room, vision_missing, vision_size, vision_step
from gliobench.study.questions import slice_questions

IMAGE_SECONDS = 3e-3  # its prompt, and its mask into a record; docs/planning.md
RUN_BYTES = 1000  # of a mask in an answer's line, beside what every line takes


def plan_segmenter(ground: Ground, part: SegmenterModel) -> ModelPlan:
    """What a promptable segmenter takes."""
    counts = ground.counts
    asked = sum(by.get(id, 0) for by in counts.slices.values() for id in ground.tested_on("mask"))
    questions = Amount(asked, worst(counts.basis, counts.slices_basis))
    pointed = _pointed(ground, part)
    images = pointed or Amount(asked, "estimate")
    size = vision_size(ground, part, part.batch_size, part.prompt)
    step = vision_step(ground, part, images, questions, size, images.value * IMAGE_SECONDS)
    whose = "the truth has" if part.source == TRUTH else f"{part.source} finds"
    said = f"{part.name}: slices in which {whose} no tumour are counted as encoded; they are not."
    missing, room = vision_missing(ground, part, size), checkpoint_room(ground, part, size)
    return ModelPlan((step,), room, missing, RUN_BYTES * asked, () if pointed else (said,))


def _pointed(ground: Ground, part: SegmenterModel) -> Amount | None:
    """In how many of the slices the truth, or the answers of an earlier run, give a place to prompt with; None where
    patients are not prepared, or the model that points has not answered."""
    context, counts = ground.context, ground.counts
    known = part.source == TRUTH or context.folder.asked(part.source).exists()
    if counts.slices_basis != "counted" or not known:
        return None
    from gliobench.study.prompting import make_prompts
    from gliobench.tasks.answer import Answered
    from gliobench.tasks.geometry import Mask

    try:
        prompts = make_prompts(context, part)
    except StageError:
        return None
    said = (
        prompts.of(question)
        for plane in context.study.slices.planes
        for question in slice_questions(context, ground.tested_on("mask"), ["mask"], plane)
    )
    pointed = sum(isinstance(one, Answered) and not isinstance(one.value, Mask) for one in said)
    return Amount(pointed, "counted" if part.source == TRUTH else "measured")
