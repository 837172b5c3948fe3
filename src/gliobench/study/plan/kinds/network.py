"""A 3D network: its training on every fold in use, and its answers."""

from collections.abc import Iterator

from gliobench.models.errors import ModelError
from gliobench.models.networks import NETWORKS
from gliobench.study.kinds.network import NetworkModel, train_settings
from gliobench.study.plan.amounts import Amount, Files, Missing, ModelPlan, Step
from gliobench.study.plan.ground import Ground, gib, hours
from gliobench.study.plan.kinds.trivial import voxels
from gliobench.study.plan.missing import network_missing
from gliobench.study.plan.networks import NetworkSize, network_size
from gliobench.study.train import known_validation, start_fault

LEARN = 3  # a training step: once forward, twice as much backward


def plan_network(ground: Ground, part: NetworkModel) -> ModelPlan:
    """What a 3D network takes."""
    task = NETWORKS[part.network].task
    answers = task == "mask" and task in ground.context.study.tasks
    masks = len(ground.counts.tested) * voxels(ground) / 8 if answers else 0.0
    steps = (*_learning(ground, part), _answering(ground, part))
    missing = tuple(_missing(ground, part))
    said = () if missing or part.weights else tuple(_said(ground, part))
    return ModelPlan(steps, tuple(_files(ground, part)), missing, masks, said)


def _missing(ground: Ground, part: NetworkModel) -> Iterator[Missing]:
    yield from network_missing(part)
    if part.weights is not None:
        return
    task = NETWORKS[part.network].task
    yield from ground.untaught(part.name, ground.folds, lambda one: one.teaches(task))
    try:
        faults = dict.fromkeys(start_fault(part, fold, ground.context.study.asked_region) for fold in ground.folds)
    except ModelError as error:
        faults = {f"start: {error}": None}
    yield from (Missing(part.name, fault) for fault in faults if fault)


def _said(ground: Ground, part: NetworkModel) -> Iterator[str]:
    known = dict.fromkeys(known_validation(part, fold) for fold in ground.folds)
    yield from (f"{part.name}: {sentence}." for sentence in known if sentence)


def _size(ground: Ground, part: NetworkModel) -> NetworkSize:
    return network_size(part.network, ground.context.study.grid.shape, _outputs(part))


def _outputs(part: NetworkModel) -> int:
    return 3 if part.regions == "brats" else 1


def _learning(ground: Ground, part: NetworkModel) -> Iterator[Step]:
    from gliobench.training.settings import draws

    if part.weights is not None:
        return
    counts, whole, task = ground.counts, _size(ground, part), NETWORKS[part.network].task
    operations, memory, learners = 0.0, 0.0, 0
    for settings in train_settings(part):
        seen = network_size(part.network, settings.patch, _outputs(part)) if settings.patch else whole
        for fold in ground.folds:
            learn = sum(counts.patients[id].teaches(task) for id in fold.train)
            check = sum(counts.patients[id].teaches(task) for id in fold.validation)
            learners = max(learners, learn)
            drawn = draws(
                [counts.patients[id].grade for id in fold.train if counts.patients[id].teaches(task)], settings
            )
            each = drawn * LEARN * seen.operations + check * whole.operations / settings.validate_every
            operations += settings.epochs * each
        memory = max(memory, _training_bytes(seen, settings.batch_size))
    yield Step(
        "train",
        part.name,
        Amount(learners, counts.basis),
        gpu_memory_gib=gib(memory),
        hours_here=ground.trained(part.name, operations / ground.here.flops32),
        hours_there=hours(operations / ground.there.flops32),
    )


def _training_bytes(size: NetworkSize, batch: int) -> float:
    """Weights, their average, gradients and two moments; every layer's output, kept, and one gradient of it."""
    return 4.0 * (5 * size.parameters + 2 * batch * size.outputs)


def _answering(ground: Ground, part: NetworkModel) -> Step:
    rounds, whole = ground.counts.rounds, _size(ground, part)
    tested = len(ground.tested_on(NETWORKS[part.network].task))
    together = 1 if len(rounds) > 1 else sum(len(round.folds) for round in rounds)
    mirrored = 8 if train_settings(part)[0].augment else 1
    if part.sweep_test == "all":
        together *= 1 + len(part.sweep)
    work = tested * mirrored * together * whole.operations
    return Step(
        "predict",
        part.name,
        ground.tested,
        questions=Amount(tested, ground.counts.basis),
        gpu_memory_gib=gib(4 * whole.parameters + 2 * whole.outputs),
        hours_here=ground.stamped(f"predict-{part.name}", work / ground.here.flops32),
        hours_there=hours(work / ground.there.flops32),
    )


def _files(ground: Ground, part: NetworkModel) -> Iterator[Files]:
    if part.weights is None:
        folds = sum(len(round.folds) for round in ground.counts.rounds)
        kept = folds * len(train_settings(part)) * 4 * 5 * _size(ground, part).parameters
        yield Files(f"weights and state of {part.name}", str(ground.context.folder.root / "networks"), gib(kept))
