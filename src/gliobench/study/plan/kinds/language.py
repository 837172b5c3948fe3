"""Language models, in this process or on a server: fine-tuning where asked for, and answers."""

from collections.abc import Iterator

from gliobench.cohort.patients import scans_of
from gliobench.models.finetuned import learnt_from
from gliobench.models.unsloth import unsloth_fault
from gliobench.study.kinds.openai import ServerModel
from gliobench.study.kinds.vlm import LanguageModel
from gliobench.study.plan.amounts import Files, Missing, ModelPlan, Step
from gliobench.study.plan.counts import first_folds
from gliobench.study.plan.families import checkpoint_here, weights_of
from gliobench.study.plan.ground import Ground, gib
from gliobench.study.plan.language import ask_step, finetune_step, served_step, taught_tasks
from gliobench.study.plan.missing import (
    checkpoint_missing,
    gpu_missing,
    quantisation_missing,
    server_missing,
)

CURE = "a smaller batch_size, quantisation: 4bit or device_map: auto"


def plan_server(ground: Ground, part: ServerModel) -> ModelPlan:
    """What a language model on a server takes."""
    step = served_step(ground.context, part, ground.counts)
    return ModelPlan((step,), missing=tuple(server_missing(part)), said=part.remarks())


def plan_language(ground: Ground, part: LanguageModel) -> ModelPlan:
    """What a language model in this process takes."""
    frame = (ground.context, part, ground.counts, ground.here, ground.there)
    learning = (finetune_step(*frame),) if part.finetune is not None else ()
    asking = ask_step(*frame)
    missing = tuple(_missing(ground, part, asking))
    said = tuple(sentence for sentence in (*part.remarks(), part.unvalidated) if sentence)
    return ModelPlan((*learning, asking), tuple(_files(ground, part)), missing, said=said)


def _missing(ground: Ground, part: LanguageModel, asking: Step) -> Iterator[Missing]:
    yield from checkpoint_missing(part, checkpoint_here(ground.context, part.checkpoint, part.revision))
    yield from quantisation_missing(part, checkpoint_here(ground.context, part.checkpoint, part.revision))
    if part.finetune is not None:
        tasks = taught_tasks(ground.context, part)
        yield from ground.untaught(part.name, first_folds(ground.counts), lambda one: one.teaches_about_slices(tasks))
        if seen := scans_of(ground.counts.whose(ground.counts.tested), learnt_from(part.checkpoint)):
            yield Missing(part.name, f"finetune: {part.checkpoint} has learnt from {len(seen)} patients to be tested")
    yield from gpu_missing(part.name, asking.gpu_memory_gib, ground.here, CURE)
    if part.is_left(ground.context) and (fault := unsloth_fault()):
        yield Missing(part.name, f"finetune: engine unsloth cannot be used here: {fault}; docs/finetuning.md")


def _files(ground: Ground, part: LanguageModel) -> Iterator[Files]:
    if (
        checkpoint_here(ground.context, part.checkpoint, part.revision) is None
        and (weights := weights_of(part.checkpoint, None)) is not None
    ):
        stored = gib(weights.parameters * weights.stored_bytes)
        yield Files(f"checkpoint {part.checkpoint}", "where checkpoints are kept", stored)
