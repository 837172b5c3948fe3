"""nnU-Net: its training on every fold in use, its answers, its disk, and the environment that it runs in."""

from collections.abc import Iterator
from pathlib import Path

from gliobench.cohort.subject import MODALITIES
from gliobench.grid.regions import REGION_SETS
from gliobench.models.nnunet import DESCRIPTION, installation_fault
from gliobench.models.nnunet_worker import DATASET, validation_iterations
from gliobench.study.kinds.nnunet import NnUNetModel
from gliobench.study.plan.amounts import Amount, Files, Missing, ModelPlan, Step
from gliobench.study.plan.ground import GIB, Ground, gib, hours
from gliobench.study.plan.hardware import USED
from gliobench.study.plan.kinds.trivial import voxels
from gliobench.study.plan.missing import gpu_missing
from gliobench.study.plan.unet import (
    DEFAULT_GB,
    MAPS,
    MAPS_BATCH,
    UNet,
    expected_unet,
    planned_unet,
    unet_size,
    windows,
)

LEARN = 3  # a step: once forward, twice as much backward
# nnU-Net's authors: 9 h for 1000 epochs on an A100 of 40 GB (resenc_presets.md of nnunetv2). Of two patches of 128³ and
# 250 + 50 iterations, these are 48e12 operations a second of 312e12 stated.
GPU_SHARE = 48e12 / 312e12 / USED
PATIENT_BYTES = 5 + 4 * 4 + 1  # a voxel: as written for nnU-Net, then its float32 modalities and labels; uncompressed
KEPT = 2 * 8  # a parameter: the final and the best checkpoint, weights and momentum each


def plan_nnunet(ground: Ground, part: NnUNetModel) -> ModelPlan:
    """What nnU-Net takes."""
    net, classes = _net(ground, part), _classes(part)
    size, counts = unet_size(net, len(MODALITIES), classes), ground.counts
    folds = ground.folds
    learners = [_with_mask(ground, fold.train) for fold in folds]
    deciders = [_with_mask(ground, fold.validation) for fold in folds]
    shape = ground.context.study.grid.shape
    patient = windows(shape, net.patch) * 2 ** len(net.patch) * size.operations  # every window mirrored every way
    epoch = (LEARN * part.iterations + validation_iterations(part.iterations)) * net.batch * size.operations
    learning = len(folds) * part.epochs * epoch + sum(deciders) * patient
    tested = len(ground.tested_on("mask"))
    answering = tested * (1 if len(counts.rounds) > 1 else len(folds)) * patient
    used = DEFAULT_GB * 1e9 / (MAPS[len(net.patch)] * MAPS_BATCH[len(net.patch)])  # bytes a number in the maps
    train = Step(
        "train",
        part.name,
        Amount(max(learners, default=0), counts.basis),
        gpu_memory_gib=gib(used * size.maps * net.batch),
        hours_here=ground.trained(part.name, learning / _speed(ground.here.flops16, ground.here.memory_gib)),
        hours_there=hours(learning / _speed(ground.there.flops16, ground.there.memory_gib)),
    )
    predict = Step(
        "predict",
        part.name,
        ground.tested,
        questions=Amount(tested, counts.basis),
        gpu_memory_gib=gib(4 * size.parameters, used / 2 * size.maps),  # nothing is kept for going backward
        hours_here=ground.stamped(
            f"predict-{part.name}", answering / _speed(ground.here.flops16, ground.here.memory_gib)
        ),
        hours_there=hours(answering / _speed(ground.there.flops16, ground.there.memory_gib)),
    )
    written = PATIENT_BYTES * voxels(ground) * sum((*learners, *deciders))
    return ModelPlan(
        (train, predict),
        tuple(_files(ground, part, written, len(folds) * KEPT * size.parameters)),
        tuple(_missing(ground, part, train)),
        tested * voxels(ground) / 8 * len(REGION_SETS[part.regions]),
        (_said(part, net),),
    )


def _net(ground: Ground, part: NnUNetModel) -> UNet:
    rounds = ground.counts.rounds
    for number in (number for round in rounds for number in round.folds):
        found = planned_unet(ground.context.folder.network(part.name, number), DATASET, part.configuration)
        if found is not None:
            return found
    first = next((fold for round in rounds for fold in round.folds.values()), None)
    patients = _with_mask(ground, (*first.train, *first.validation)) if first else 0
    shape = ground.context.study.grid.shape
    seen = shape[1:] if part.configuration == "2d" else shape
    return expected_unet(seen, patients, len(MODALITIES), _classes(part), part.planner)


def _classes(part: NnUNetModel) -> int:
    """One tumour against the background, or a region each."""
    return max(2, len(REGION_SETS[part.regions]))


def _with_mask(ground: Ground, ids: tuple[str, ...]) -> int:
    return sum(ground.counts.patients[id].mask for id in ids)


def _speed(flops16: float, memory_gib: float) -> float:
    """Operations a second: processors as they are, a GPU as nnU-Net's authors measured one."""
    return flops16 * GPU_SHARE if memory_gib else flops16


def _files(ground: Ground, part: NnUNetModel, written: float, kept: float) -> Iterator[Files]:
    networks = ground.context.folder.root / "networks"
    folds = [networks / part.name / f"fold-{number}" for round in ground.counts.rounds for number in round.folds]
    what = (f"nnU-Net's patients of {part.name}", f"weights and state of {part.name}")
    if folds and all((fold / DESCRIPTION).exists() for fold in folds):
        found = [_bytes(fold / "raw") + _bytes(fold / "preprocessed") for fold in folds]
        weights = [_bytes(fold / "results") for fold in folds]
        yield Files(what[0], str(networks), Amount(sum(found) / GIB, "measured"))
        yield Files(what[1], str(networks), Amount(sum(weights) / GIB, "measured"))
        return
    yield Files(what[0], str(networks), gib(written))
    yield Files(what[1], str(networks), gib(kept))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _missing(ground: Ground, part: NnUNetModel, train: Step) -> Iterator[Missing]:
    if fault := installation_fault(part.python):
        yield Missing(part.name, fault)
    yield from ground.untaught(part.name, ground.folds, lambda one: one.mask)
    yield from gpu_missing(part.name, train.gpu_memory_gib, ground.here, "a smaller `planner`")


def _said(part: NnUNetModel, net: UNet) -> str:
    patch = " x ".join(map(str, net.patch))
    source = "nnU-Net's plans in this folder" if net.planned else "nnU-Net's rule for ExperimentPlanner, equal spacing"
    return (
        f"{part.name}: {net.batch} patches of {patch} a step, by {source}; its "
        "patients on disk are counted uncompressed, its planning and preprocessing not at all."
    )
