"""Trivial baselines and the classical grade baseline: a moment each."""

from collections.abc import Iterator

from gliobench.study.kinds.baseline import BaselineModel
from gliobench.study.kinds.classical import ClassicalModel
from gliobench.study.plan.amounts import Amount, Missing, ModelPlan, Step, worst
from gliobench.study.plan.ground import Ground

WHOLE_PATIENT = {"majority-grade": ("grade",), "flair-blob": ("mask",), "empty": ("mask",)}
SLICE_BY_SLICE = {"image-centre": ("centre",), "mean-box": ("box",), "whole-slice": ("box", "polygon")}
QUESTION_SECONDS = 0.01
DESCRIBED_SECONDS = 1.6e-6  # a voxel of a patient, for the classical baseline; docs/planning.md
FIT_SECONDS = 3.0  # of its three designs, calibration included, in a round


def plan_baseline(ground: Ground, part: BaselineModel) -> ModelPlan:
    """What a trivial baseline takes."""
    own, sliced = WHOLE_PATIENT.get(part.name, ()), SLICE_BY_SLICE.get(part.name, ())
    counts, tasks = ground.counts, ground.context.study.tasks
    questions, basis = float(sum(len(ground.tested_on(task)) for task in tasks if task in own)), counts.basis
    for task in tasks:
        if task in sliced:
            basis = worst(counts.basis, counts.slices_basis)
            questions += sum(by.get(id, 0) for by in counts.slices.values() for id in ground.tested_on(task))
    step = _predict(ground, part.name, Amount(questions, basis), QUESTION_SECONDS * questions)
    masks = len(counts.tested) * voxels(ground) / 8 if "mask" in own and "mask" in tasks else 0.0
    known = part.name in {**WHOLE_PATIENT, **SLICE_BY_SLICE}
    said = () if known else (f"{part.name}: a baseline of another package, whose questions are not counted.",)
    return ModelPlan((step,), missing=tuple(_missing(ground, part)), mask_bytes=masks, said=said)


def plan_classical(ground: Ground, part: ClassicalModel) -> ModelPlan:
    """What the classical grade baseline takes."""
    graded = len(ground.tested_on("grade")) if "grade" in ground.context.study.tasks else 0
    step = _predict(ground, part.name, Amount(graded, ground.counts.basis), _classical_seconds(ground))
    return ModelPlan((step,), missing=tuple(ground.ungraded(part.name, each=1)))


def _predict(ground: Ground, name: str, questions: Amount, seconds: float) -> Step:
    hours_here = ground.stamped(f"predict-{name}", seconds)
    return Step("predict", name, ground.tested, questions=questions, hours_here=hours_here)


def _missing(ground: Ground, part: BaselineModel) -> Iterator[Missing]:
    """The majority needs nobody, an empty mask and the image's centre neither."""
    if part.name in ("flair-blob", "mean-box") and not all(
        any(ground.counts.patients[id].mask for id in round.learn) for round in ground.counts.rounds
    ):
        yield Missing(part.name, "no training patient has a mask: take the entry out")


def _classical_seconds(ground: Ground) -> float:
    """Each patient is described once, and three designs are fitted in each round."""
    rounds = ground.counts.rounds
    seen = {id for round in rounds for id in (*round.learn, *round.validation, *round.test)}
    return DESCRIBED_SECONDS * voxels(ground) * len(seen) + FIT_SECONDS * len(rounds)


def voxels(ground: Ground) -> int:
    """Of a patient on the grid; a mask of it takes a bit each."""
    depth, height, width = ground.context.study.grid.shape
    return depth * height * width
