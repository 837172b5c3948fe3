"""A frozen encoder with a probe: every slice that it sees is encoded once, whoever learns from it in whatever round."""

from collections.abc import Iterable

from gliobench.grid.slices import select_slices
from gliobench.study.kinds.encoder import EncoderModel
from gliobench.study.plan.amounts import Amount, Files, ModelPlan
from gliobench.study.plan.counts import assumed_slices
from gliobench.study.plan.ground import Ground, gib
from gliobench.study.plan.vision import BYTES, VisionSize, checkpoint_room, vision_missing, vision_size, vision_step

FITS = 36  # of a regression in a round: seven penalties, five folds each, and the last on everybody
FIT_SECONDS = 3e-7  # a row and a number in it; docs/planning.md
IMAGE_SECONDS = 0.7e-3
LOOK = {"checkpoint", "revision", "plane", "select", "every", "channels"}  # what decides the features that are kept


def plan_encoder(ground: Ground, part: EncoderModel) -> ModelPlan:
    """What a frozen encoder and its probe take."""
    counts = ground.counts
    slices = _slices(ground, part, _seen(ground))
    first = _encoded_by(ground, part)
    images = Amount(0 if first else sum(slices.values()), "counted" if counts.prepared else "estimate")
    size = vision_size(ground, part, part.batch_size, None)
    questions = Amount(len(ground.tested_on("grade")), counts.basis)
    learning = _learning_seconds(ground, part, slices, size) if size else 0.0
    step = vision_step(ground, part, images, questions, size, images.value * IMAGE_SECONDS + learning)
    kept = () if first or not size else (_features(ground, part, images, size),)
    said = f"{part.name}: each slice of {len(slices)} patients, learnt from or tested, is encoded once for all folds."
    again = f"{part.name}: sees what {first} has encoded already." if first else said
    missing = (*vision_missing(ground, part, size), *ground.ungraded(part.name, each=2))
    room = (*kept, *checkpoint_room(ground, part, size))
    return ModelPlan((step,), room, missing, said=(again,))


def _seen(ground: Ground) -> set[str]:
    """Whoever is learnt from, decides or is tested in any round, and has a grade."""
    counts = ground.counts
    learners = {id for round in counts.rounds for id in (*round.learn, *round.validation)}
    return {id for id in learners if counts.patients[id].grade is not None} | set(ground.tested_on("grade"))


def _slices(ground: Ground, part: EncoderModel, ids: Iterable[str]) -> dict[str, float]:
    """How many slices of each patient it sees."""
    study = ground.context.study
    if not ground.counts.prepared:
        preset = "all brain" if part.select == "brain" else study.grid.preset
        return dict.fromkeys(ids, assumed_slices(study, preset, part.plane, part.every, trim=0))
    subjects = [ground.context.subjects[id] for id in ids]
    return {
        one.id: 0.0
        if part.select == "oracle" and one.labels is None
        else float(len(select_slices(one, part.plane, part.select, every=part.every)))
        for one in subjects
    }


def _encoded_by(ground: Ground, part: EncoderModel) -> str | None:
    """The first encoder of the study that sees the same slices with the same checkpoint, where that is another one."""
    same = (
        one.name
        for one in ground.context.study.models
        if one.kind == part.kind and one.model_dump(include=LOOK) == part.model_dump(include=LOOK)
    )
    first = next(same)
    return None if first == part.name else first


def _learning_seconds(ground: Ground, part: EncoderModel, slices: dict[str, float], size: VisionSize) -> float:
    rows = 0.0
    for round in ground.counts.rounds:
        learners = [id for id in round.learn if id in slices]
        rows += sum(slices[id] for id in learners) if part.pool == "slices" else len(learners)
    return FITS * FIT_SECONDS * rows * size.width


def _features(ground: Ground, part: EncoderModel, images: Amount, size: VisionSize) -> Files:
    where = str(ground.context.folder.features)
    return Files(f"features of {part.name}", where, gib(BYTES * images.value * size.width))
