"""What a study takes, put together. Starts no work, writes nothing, and reads heads of files and held answers only."""

import json
import shutil
from collections.abc import Iterator

from gliobench.models.networks import NETWORKS
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.config import AnyModel, BaselineModel
from gliobench.study.context import Context
from gliobench.study.language_parts import LanguageModel, ServerModel
from gliobench.study.network_parts import ClassicalModel, NetworkModel
from gliobench.study.plan.amounts import Amount, Basis, Files, Missing, Plan, Step, worst
from gliobench.study.plan.counts import Counts, count, questions_by_place
from gliobench.study.plan.families import weights_of
from gliobench.study.plan.hardware import GPUS, Hardware, this_machine
from gliobench.study.plan.language import GIB, ask_step, checkpoint_files, finetune_step
from gliobench.study.plan.missing import missing_parts
from gliobench.study.plan.networks import NetworkSize, network_size
from gliobench.study.train import train_settings

PREPARE_SECONDS, SCORE_SECONDS, REPORT_SECONDS = 0.2, 0.1, 30.0  # a patient; a patient and model; docs/results
HELD_SECONDS = 0.01  # a question; docs/replay.md
LEARN = 3  # a training step: once forward, twice as much backward
RECORD_BYTES = 800  # an answer's line, without its text
WHOLE_PATIENT = {"majority-grade": ("grade",), "flair-blob": ("mask",), "empty": ("mask",)}
SLICE_BY_SLICE = {"image-centre": ("centre",), "mean-box": ("box",)}


def make_plan(context: Context, *, patients: int | None = None, there: str = "a100") -> Plan:
    """The plan of a study. `patients`: how many to assume where no cohort is found. `there`: one of `GPUS`."""
    counts, here = count(context, patients), this_machine()
    steps = (*_prepare(context, counts), *_models(context, counts, here, GPUS[there]), *_after(context, counts))
    files = tuple(_files(context, counts, steps))
    missing = _together([*counts.missing, *missing_parts(context, steps, here), *_room(context, files)])
    assumptions = (*counts.assumptions, *_assumptions(steps), *_left_out(context, steps))
    return Plan(context.study.name, here.name, GPUS[there].name, steps, files, missing, assumptions)


def _together(missing: list[Missing]) -> tuple[Missing, ...]:
    """What several models lack alike, said once."""
    concerned: dict[str, list[str]] = {}
    for one in missing:
        concerned.setdefault(one.problem, []).append(one.concerns)
    return tuple(Missing(", ".join(dict.fromkeys(names)), problem) for problem, names in concerned.items())


def _prepare(context: Context, counts: Counts) -> Iterator[Step]:
    number = len(counts.patients)
    yield Step(
        "prepare", "", Amount(number, counts.basis), hours_here=_stamped(context, "prepare", number * PREPARE_SECONDS)
    )


def _after(context: Context, counts: Counts) -> Iterator[Step]:
    tested = Amount(len(counts.tested), counts.basis)
    seconds = tested.value * len(context.study.models) * SCORE_SECONDS
    yield Step("score", "", tested, hours_here=_stamped(context, "score", seconds))
    yield Step("report", "", tested, hours_here=_stamped(context, "report", REPORT_SECONDS))


def _stamped(context: Context, stage: str, seconds: float) -> Amount:
    """Hours of a stage: what it took before in this folder, else an estimate."""
    try:
        content = json.loads(context.folder.stamp(stage).read_text(encoding="utf-8"))
        return Amount(float(content["seconds"]) / 3600, "measured")
    except (OSError, ValueError, KeyError):
        return Amount(seconds / 3600, "estimate")


def _models(context: Context, counts: Counts, here: Hardware, there: Hardware) -> Iterator[Step]:
    for part in context.study.models:
        if isinstance(part, NetworkModel) and part.network in NETWORKS:
            yield from _network(context, part, counts, here, there)
        elif isinstance(part, LanguageModel | ServerModel):
            if isinstance(part, LanguageModel) and part.finetune is not None:
                yield finetune_step(context, part, counts, here, there)
            yield ask_step(context, part, counts, here, there)
        elif isinstance(part, BaselineModel | ClassicalModel):
            yield _trivial(context, part, counts)
        elif isinstance(part, ReplayModel):
            yield _held(context, part, counts)


def _held(context: Context, part: ReplayModel, counts: Counts) -> Step:
    """Held answers: nobody is asked, and reading takes seconds."""
    questions, basis = sum(questions_by_place(counts, part, context.study).values()), counts.basis
    if part.masks is None:
        basis = worst(counts.basis, counts.slices_basis)
    else:
        questions = float(sum("mask" in counts.patients[id].asked for id in counts.tested))
    hours = _stamped(context, f"predict-{part.name}", HELD_SECONDS * questions)
    tested = Amount(len(counts.tested), counts.basis)
    return Step("predict", part.name, tested, questions=Amount(questions, basis), hours_here=hours)


def _trivial(context: Context, part: BaselineModel | ClassicalModel, counts: Counts) -> Step:
    own = ("grade",) if isinstance(part, ClassicalModel) else WHOLE_PATIENT.get(part.name, ())
    tasks = [task for task in context.study.tasks if task in own]
    tested, basis = Amount(len(counts.tested), counts.basis), counts.basis
    questions = float(sum(task in counts.patients[id].asked for task in tasks for id in counts.tested))
    for task in context.study.tasks:
        if isinstance(part, BaselineModel) and task in SLICE_BY_SLICE.get(part.name, ()):
            basis = worst(counts.basis, counts.slices_basis)
            asked = [id for id in counts.tested if task in counts.patients[id].asked]
            questions += sum(by.get(id, 0) for by in counts.slices.values() for id in asked)
    hours = _stamped(context, f"predict-{part.name}", 0.01 * questions)
    return Step("predict", part.name, tested, questions=Amount(questions, basis), hours_here=hours)


def _network(context: Context, part: NetworkModel, counts: Counts, here: Hardware, there: Hardware) -> Iterator[Step]:
    task, outputs = NETWORKS[part.network].task, 3 if part.regions == "brats" else 1
    choices = train_settings(part)
    whole = network_size(part.network, context.study.grid.shape, outputs)
    folds = [fold for round in counts.rounds for fold in round.folds.values()]
    if part.weights is None:
        operations, memory, learners = 0.0, 0.0, 0
        for settings in choices:
            seen = network_size(part.network, settings.patch, outputs) if settings.patch else whole
            for fold in folds:
                learn = sum(task in counts.patients[id].asked for id in fold.train)
                check = sum(task in counts.patients[id].asked for id in fold.validation)
                learners = max(learners, learn)
                each = learn * LEARN * seen.operations + check * whole.operations / settings.validate_every
                operations += settings.epochs * each
            memory = max(memory, _training_bytes(seen, settings.batch_size))
        measured = _measured_training(context, part, [number for round in counts.rounds for number in round.folds])
        yield Step(
            "train",
            part.name,
            Amount(learners, counts.basis),
            gpu_memory_gib=Amount(memory / GIB, "estimate"),
            hours_here=measured or Amount(operations / here.flops32 / 3600, "estimate"),
            hours_there=Amount(operations / there.flops32 / 3600, "estimate"),
        )
    tested = sum(task in counts.patients[id].asked for id in counts.tested) if task in context.study.tasks else 0
    copies = (8 if choices[0].augment else 1) * (1 if len(counts.rounds) > 1 else len(folds))  # mirrored; together
    work = tested * copies * whole.operations
    yield Step(
        "predict",
        part.name,
        Amount(len(counts.tested), counts.basis),
        questions=Amount(tested, counts.basis),
        gpu_memory_gib=Amount((4 * whole.parameters + 2 * whole.outputs) / GIB, "estimate"),
        hours_here=_stamped(context, f"predict-{part.name}", work / here.flops32),
        hours_there=Amount(work / there.flops32 / 3600, "estimate"),
    )


def _training_bytes(size: NetworkSize, batch: int) -> float:
    """Weights, their average, gradients and two moments; every layer's output, kept, and one gradient of it."""
    return 4.0 * (5 * size.parameters + 2 * batch * size.outputs)


def _measured_training(context: Context, part: NetworkModel, folds: list[int]) -> Amount | None:
    """What the trainings of these folds took before in this folder, where all were done."""
    took = [_stamped(context, f"train-{part.name}-fold-{number}", 0.0) for number in folds]
    if not took or any(one.basis != "measured" for one in took):
        return None
    return Amount(sum(one.value for one in took), "measured")


def _files(context: Context, counts: Counts, steps: tuple[Step, ...]) -> Iterator[Files]:
    depth, height, width = context.study.grid.shape
    voxels, root = depth * height * width, context.folder.root
    prepared = len(counts.patients) * 5 * voxels  # four modalities and the labels, 8 bits
    yield Files("prepared patients", str(context.store), Amount(prepared / GIB, counts.basis))
    folds = sum(len(round.folds) for round in counts.rounds)
    answers, basis = 0.0, counts.basis
    for part in context.study.models:
        if _gives_masks(part) and "mask" in context.study.tasks:
            answers += len(counts.tested) * voxels / 8  # a bit a voxel
        if isinstance(part, NetworkModel) and part.network in NETWORKS and part.weights is None:
            size = network_size(part.network, context.study.grid.shape, 3 if part.regions == "brats" else 1)
            kept = folds * len(train_settings(part)) * 4 * 5 * size.parameters
            yield Files(f"weights and state of {part.name}", str(root / "networks"), Amount(kept / GIB, "estimate"))
        if isinstance(part, LanguageModel | ServerModel):
            answers += RECORD_BYTES * sum(questions_by_place(counts, part, context.study).values())
    for step in steps:
        if step.stage == "predict" and step.images is None and step.questions is not None:
            answers += step.questions.value * RECORD_BYTES
        if step.tokens_out is not None:
            answers += 4 * step.tokens_out.value
            basis = worst(basis, step.tokens_out.basis)
    absent = {
        p.checkpoint for p in context.study.models if isinstance(p, LanguageModel) and not checkpoint_files(context, p)
    }
    for checkpoint in sorted(absent):
        if (weights := weights_of(checkpoint, None)) is not None:
            gib = Amount(weights.parameters * weights.stored_bytes / GIB, "estimate")
            yield Files(f"checkpoint {checkpoint}", "where checkpoints are kept", gib)
    yield Files("answers", str(root / "answers"), Amount(answers / GIB, worst(basis, "estimate")))


def _gives_masks(part: AnyModel) -> bool:
    """Whether it answers with a mask of the whole patient."""
    if isinstance(part, ReplayModel):
        return part.masks is not None
    if isinstance(part, NetworkModel):
        return part.network in NETWORKS and NETWORKS[part.network].task == "mask"
    return isinstance(part, BaselineModel) and "mask" in WHOLE_PATIENT.get(part.name, ())


def _room(context: Context, files: tuple[Files, ...]) -> Iterator[Missing]:
    """Whether the disk of the output folder holds what will be written below it or into the store."""
    place = next(
        one for one in (context.folder.root.absolute(), *context.folder.root.absolute().parents) if one.exists()
    )
    needed, free = sum(one.gib.value for one in files), shutil.disk_usage(place).free / GIB
    if needed > free:
        yield Missing("disk", f"about {needed:.1f} GiB are needed, {place} has {free:.1f} GiB free")


def _assumptions(steps: tuple[Step, ...]) -> Iterator[str]:
    bases: set[Basis] = {step.hours_here.basis for step in steps if step.hours_here}
    if any(step.tokens_out and step.tokens_out.basis == "estimate" for step in steps):
        yield "Tokens out are the most that the prompts' limits allow, where no earlier run in the folder says less."
    if "estimate" in bases:
        yield (
            "Hours are of operations and bytes of weights at about a third of a GPU's stated speed, or as two "
            "processors were measured; networks train to their last epoch; fetching, loading and trying again are not "
            "in them."
        )
    if any(step.gpu_memory_gib for step in steps):
        yield "GPU memory is weights, cache and activations of one batch; a framework's own is some 1 GiB more."


def _left_out(context: Context, steps: tuple[Step, ...]) -> Iterator[str]:
    planned = {step.model for step in steps}
    if absent := [part.name for part in context.study.models if part.name not in planned]:
        kinds = "nnU-Net, segmenters, encoders and models that answer together"
        yield f"{', '.join(absent)}: not planned ({kinds} have no figures yet), and in none of these sums."
