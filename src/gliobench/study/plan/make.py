"""What a study takes, put together. Starts no work and writes nothing; of prepared patients it reads the voxels."""

import shutil
from collections.abc import Iterator, Sequence

from gliobench.study.asking.region import unasked
from gliobench.study.parts.stage import Stage
from gliobench.study.plan.counts import NO_COHORT, count
from gliobench.study.plan.curve import curve_plan
from gliobench.study.plan.estimates import (
    GIB,
    SCORE_SECONDS,
    Basis,
    Bill,
    Estimate,
    Files,
    Missing,
    ModelPlan,
    Plan,
    Step,
    gib,
)
from gliobench.study.plan.hardware import GPUS, this_machine
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.plan.missing import hub_checkpoints, machine_lacking
from gliobench.study.plan.money import bills
from gliobench.study.plan.seeds import seeds_plan
from gliobench.study.plan.sensitivity import sensitivity_plan
from gliobench.study.state.context import Context
from gliobench.study.state.lacking import lacking, refuse

PREPARE_SECONDS, REPORT_SECONDS = 0.2, 30.0  # a patient; docs/results
RECORD_BYTES = 800  # an answer's line, without its text
TOKEN_BYTES = 4  # of its text


def make_plan(context: Context, *, patients: int | None = None, there: str = "a100") -> Plan:
    """The plan of a study. `patients`: how many to assume where no cohort is found. `there`: one of `GPUS`.

    What is not there is in the plan; raises StudyError for what is there and cannot be used.
    """
    lacks = lacking(context.study, None if context.cohort == NO_COHORT else context.cohort)
    refuse(lack for lack in lacks if not lack.absent)
    plan_inputs = PlanInputs(context, count(context, patients), this_machine(), GPUS[there])
    models = [config.plan(plan_inputs) for config in context.study.models]
    models += [curve_plan(plan_inputs), seeds_plan(plan_inputs), sensitivity_plan(plan_inputs)]
    steps = (_prepare(plan_inputs), *(step for model in models for step in model.steps), *_after(plan_inputs))
    files = tuple(_files(plan_inputs, models))
    own = [one for model in models for one in model.missing]
    lacks += [*machine_lacking(context), *hub_checkpoints(context)]
    named = [Missing(lack.place, lack.problem) for lack in lacks]
    missing = _said_once([*plan_inputs.counts.missing, *named, *own, *_room(context, files)])
    said = [*unasked(context.study), *(sentence for model in models for sentence in model.said)]
    assumptions = (*plan_inputs.counts.assumptions, *said, *_assumptions(steps))
    return Plan(
        context.study.name,
        plan_inputs.here.name,
        plan_inputs.there.name,
        steps,
        files,
        missing,
        assumptions,
        tuple(_bills(plan_inputs, steps)),
    )


def _bills(plan_inputs: PlanInputs, steps: Sequence[Step]) -> list[Bill]:
    study = plan_inputs.context.study
    by_tokens = frozenset(config.name for config in study.models if config.by_tokens)
    return bills(steps, study.prices, by_tokens, plan_inputs.here)


def _said_once(missing: list[Missing]) -> tuple[Missing, ...]:
    """What several models lack alike, said once."""
    concerned: dict[str, list[str]] = {}
    for one in missing:
        concerned.setdefault(one.problem, []).append(one.concerns)
    return tuple(Missing(", ".join(dict.fromkeys(names)), problem) for problem, names in concerned.items())


def _prepare(plan_inputs: PlanInputs) -> Step:
    number = Estimate(len(plan_inputs.counts.patients), plan_inputs.counts.basis)
    return Step("prepare", "", number, hours_here=plan_inputs.stamped(Stage("prepare"), number.value * PREPARE_SECONDS))


def _after(plan_inputs: PlanInputs) -> Iterator[Step]:
    seconds = plan_inputs.tested.value * len(plan_inputs.context.study.models) * SCORE_SECONDS
    yield Step("score", "", plan_inputs.tested, hours_here=plan_inputs.stamped(Stage("score"), seconds))
    yield Step("report", "", plan_inputs.tested, hours_here=plan_inputs.stamped(Stage("report"), REPORT_SECONDS))


def _files(plan_inputs: PlanInputs, models: Sequence[ModelPlan]) -> Iterator[Files]:
    prepared = len(plan_inputs.counts.patients) * 5 * plan_inputs.voxels  # four modalities and the labels, 8 bits
    yield Files("prepared patients", str(plan_inputs.context.store), Estimate(prepared / GIB, plan_inputs.counts.basis))
    yield from dict.fromkeys(one for model in models for one in model.files)  # two models can share a checkpoint
    asking = [step for model in models for step in model.steps if step.stage == "predict"]
    lines = RECORD_BYTES * sum(step.questions.value for step in asking if step.questions)
    texts = TOKEN_BYTES * sum(step.tokens_out.value for step in asking if step.tokens_out)
    masks = sum(model.mask_bytes for model in models)
    yield Files("answers", str(plan_inputs.context.folder.root / "answers"), gib(lines, texts, masks))


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
            "Hours follow from operations and bytes of weights at about a third of a GPU's stated speed, or as two "
            "processors were measured; networks train to their last epoch; fetching, loading and trying again are not "
            "in them."
        )
    if any(step.gpu_memory_gib for step in steps):
        yield "GPU memory is weights, cache and activations of one batch; a framework's own is some 1 GiB more."
