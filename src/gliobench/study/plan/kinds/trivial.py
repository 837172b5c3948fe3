"""Trivial baselines and the classical grade baseline: a moment each."""

from collections.abc import Iterator

from gliobench.study.config import BaselineModel
from gliobench.study.network_parts import ClassicalModel
from gliobench.study.plan.amounts import Amount, Missing, ModelPlan, Step, worst
from gliobench.study.plan.ground import Ground

WHOLE_PATIENT = {"majority-grade": ("grade",), "flair-blob": ("mask",), "empty": ("mask",)}
SLICE_BY_SLICE = {"image-centre": ("centre",), "mean-box": ("box",), "whole-slice": ("box", "polygon")}
QUESTION_SECONDS = 0.01
DESCRIBED_SECONDS = 1.6e-6  # a voxel of a patient, for the classical baseline; docs/planning.md
FIT_SECONDS = 3.0  # of its three designs, calibration included, in a round


def plan_trivial(ground: Ground, part: BaselineModel | ClassicalModel) -> ModelPlan:
    """What a baseline or the classical grade baseline takes."""
    own = ("grade",) if isinstance(part, ClassicalModel) else WHOLE_PATIENT.get(part.name, ())
    sliced = SLICE_BY_SLICE.get(part.name, ()) if isinstance(part, BaselineModel) else ()
    counts, tasks = ground.counts, ground.context.study.tasks
    questions, basis = float(sum(len(ground.tested_on(task)) for task in tasks if task in own)), counts.basis
    for task in tasks:
        if task in sliced:
            basis = worst(counts.basis, counts.slices_basis)
            questions += sum(by.get(id, 0) for by in counts.slices.values() for id in ground.tested_on(task))
    seconds = _classical_seconds(ground) if isinstance(part, ClassicalModel) else QUESTION_SECONDS * questions
    step = Step(
        "predict",
        part.name,
        ground.tested,
        questions=Amount(questions, basis),
        hours_here=ground.stamped(f"predict-{part.name}", seconds),
    )
    masks = len(counts.tested) * voxels(ground) / 8 if "mask" in own and "mask" in tasks else 0.0
    return ModelPlan((step,), missing=tuple(_missing(ground, part)), mask_bytes=masks)


def _missing(ground: Ground, part: BaselineModel | ClassicalModel) -> Iterator[Missing]:
    """The majority needs nobody, an empty mask and the image's centre neither."""
    if isinstance(part, ClassicalModel):
        yield from ground.ungraded(part.name, each=1)
    elif part.name in ("flair-blob", "mean-box") and not all(
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
