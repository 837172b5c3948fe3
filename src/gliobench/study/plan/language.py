"""What it takes to ask a language model: tokens, memory, time and money."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from gliobench.grid.frame import INDEX_AXIS, Plane, SliceFrame
from gliobench.grid.regions import Region
from gliobench.records.store import RecordStore
from gliobench.study.kinds.speaking import SpeakingConfig
from gliobench.study.kinds.vlm import LanguageModelConfig
from gliobench.study.plan.counts import assumed_slices, first_folds, images_count, questions_by_place
from gliobench.study.plan.estimates import Basis, Estimate, Step, gib, hours, worst
from gliobench.study.plan.families import Weights, family_of, prompt_tokens
from gliobench.study.plan.hardware import Hardware
from gliobench.study.plan.inputs import PlanInputs
from gliobench.study.state.context import Context
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.prompt_file import PromptError
from gliobench.tasks.registry import task_about

TEMPLATE_TOKENS = 20  # what a chat template puts around a prompt
VISION_PARAMETERS = 0.9e9  # of Llama 3.2 Vision's tower, through which image tokens that stand beside the text go
ACTIVATION_BYTES = 40 * 1024  # a token of the batch: some ten vectors of a layer of 7 to 11 B, 16 bits
CROSS_LAYERS = 0.2  # of Llama 3.2 Vision's 40 layers, 8 look at the image and keep its keys and values
LEARN = 4  # once forward, once more for checkpointed gradients, twice as much backward
LEARNT_BYTES = 400 * 1024  # a token: every layer's input, and one layer in full
BATCH = 16  # where a study leaves it to memory

Place = tuple[Plane, str]  # plane and task


@dataclass(frozen=True)
class Question:
    """One question's tokens: of its text, of its image, and of its answer at most."""

    text: float
    image: float
    answer: float


@dataclass(frozen=True)
class Earlier:
    """What answers to one task took in an earlier run in the output folder."""

    seconds: float
    tokens: float


@dataclass(frozen=True)
class Asking:
    """What a language model is asked: how many questions, and what each takes, by plane and task; the step as far as
    it is alike for all. `hours`: where an earlier run answered every task."""

    step: Step
    number: Mapping[Place, float]
    each: Mapping[Place, Question]
    hours: Estimate | None
    tokens_in: float


def asking(plan_inputs: PlanInputs, config: SpeakingConfig, folder: Path | None) -> Asking:
    """What a language model is asked. `folder`: where its checkpoint lies here."""
    context, counts = plan_inputs.context, plan_inputs.counts
    number = questions_by_place(counts, config, context.study)
    each, tokens = _each(context, config, list(number), folder)
    earlier = _earlier(context, config.name)
    known = bool(earlier) and all(task in earlier for _, task in number)
    basis = worst(counts.basis, counts.slices_basis)
    text = sum(asked * each[place].text for place, asked in number.items())
    image = sum(asked * each[place].image for place, asked in number.items())
    out = sum(
        asked * (earlier[place[1]].tokens if place[1] in earlier else each[place].answer)
        for place, asked in number.items()
    )
    step = Step(
        "predict",
        config.name,
        plan_inputs.tested,
        images=Estimate(images_count(counts, config, context.study), basis),
        questions=Estimate(sum(number.values()), basis),
        text_tokens_in=Estimate(text, worst(basis, tokens)),
        image_tokens_in=Estimate(image, worst(basis, tokens)),
        tokens_out=Estimate(out, worst(basis, "measured" if known else "estimate")),
    )
    seconds = sum(asked * earlier[task].seconds for (_, task), asked in number.items()) if known else 0.0
    return Asking(step, number, each, Estimate(seconds / 3600, "measured") if known else None, text + image)


def _each(
    context: Context, config: SpeakingConfig, places: list[Place], folder: Path | None
) -> tuple[dict[Place, Question], Basis]:
    family = family_of(config.known_as)
    found: dict[Place, Question] = {}
    basis: Basis = "estimate" if folder is None else "counted"
    for plane, task in places:
        rows, columns = (size for axis, size in enumerate(context.study.grid.shape) if axis != INDEX_AXIS[plane])
        prompt = _prompt(config, task, context.study.asked_region)
        shown = config.picture.shown_frame(SliceFrame(plane, 0, (rows, columns), (1.0, 1.0)))
        words, (rows, columns) = prompt.about(shown), shown.shape
        told = prompt_tokens(folder, words, (rows, columns)) if folder else None
        if told is None or config.shots or config.view.name in ("mosaic", "montage"):
            basis = "estimate"  # one plain slice was tokenised
        text = told[0] if told else len(words) / family.letters + TEMPLATE_TOKENS
        image = told[1] if told and not family.beside else family.image_tokens(rows, columns)
        written = 0 if config.by_choice(task) else config.max_new_tokens or prompt.max_new_tokens
        found[plane, task] = Question(text * (1 + config.shots), image * (1 + config.shots), written)
    return found, basis


def _prompt(config: SpeakingConfig, task: str, region: Region) -> Prompt:
    try:
        return config.prompt_of(task, region)
    except PromptError:  # said under what is missing
        return task_about(config.problem, task).prompt_about(region)


def _earlier(context: Context, model: str) -> dict[str, Earlier]:
    """Means of what was answered before in this folder, by task."""
    seconds: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    for record in RecordStore(context.folder.answers(model)).read():
        if record.seconds is not None:
            seconds.setdefault(record.task, []).append(record.seconds)
            tokens.setdefault(record.task, []).append(record.tokens or 0)
    return {task: Earlier(sum(all) / len(all), sum(tokens[task]) / len(all)) for task, all in seconds.items()}


def ask_step(
    plan_inputs: PlanInputs, config: LanguageModelConfig, folder: Path | None, weights: Weights | None
) -> Step:
    """The stage `predict` of one language model in this process."""
    asked = asking(plan_inputs, config, folder)
    if weights is None:
        return replace(asked.step, hours_here=asked.hours)
    batch = BATCH if config.batch_size == "auto" else config.batch_size
    own, cost = weight_bytes(config, weights), _Cost(family_of(config.checkpoint).beside, weights.parameters)

    def taken(machine: Hardware) -> Estimate:
        """A token of an answer fetches all weights once, for a whole batch."""
        operations = sum(number * cost.operations(asked.each[place]) for place, number in asked.number.items())
        fetched = sum(number * asked.each[place].answer for place, number in asked.number.items()) * own / batch
        return hours(operations / machine.flops16 + fetched / machine.bandwidth)

    each = asked.each.values()
    cached = max((one.text + one.answer + cost.kept * one.image for one in each), default=0.0)
    alive = max((one.text + one.answer + one.image for one in each), default=0.0)
    return replace(
        asked.step,
        gpu_memory_gib=gib(own + batch * (cached * weights.cache_bytes + alive * ACTIVATION_BYTES)),
        hours_here=asked.hours or taken(plan_inputs.here),
        hours_there=taken(plan_inputs.there),
    )


@dataclass(frozen=True)
class _Cost:
    """`beside`: image tokens go through the vision tower alone, and stand beside the text for cross-attention."""

    beside: bool
    parameters: float

    @property
    def kept(self) -> float:
        """How much of an image's tokens the layers keep."""
        return CROSS_LAYERS if self.beside else 1.0

    def operations(self, one: Question) -> float:
        """Of a question and its answer, once forward."""
        words = one.text + one.answer
        if self.beside:
            return 2 * (self.parameters * words + min(VISION_PARAMETERS, self.parameters) * one.image)
        return 2 * self.parameters * (words + one.image)


def finetune_step(
    plan_inputs: PlanInputs, config: LanguageModelConfig, folder: Path | None, weights: Weights | None
) -> Step:
    """The stage `finetune` of one language model, an adapter or all weights, over all folds that it learns from."""
    from gliobench.study.stages.finetune import finetune_settings, taught_patients
    from gliobench.training.finetune.settings import draws

    context, counts = plan_inputs.context, plan_inputs.counts
    settings, tasks, study = finetune_settings(config), config.taught_tasks(context.study), context.study
    planes = settings.planes or study.slices.planes
    slices = sum(assumed_slices(study, study.grid.preset, plane, settings.every, settings.trim) for plane in planes)
    taught = [
        [counts.patients[id] for id in taught_patients(settings, fold)[0] if counts.patients[id].mask]
        for fold in first_folds(counts)
    ]
    learners = max((sum(one.teaches_about_slices(tasks) > 0 for one in fold) for fold in taught), default=0)
    of_kind = [Counter((task, one.grade) for one in fold for task in tasks if one.teaches(task)) for fold in taught]
    seen = sum(
        settings.steps * settings.batch_size * settings.accumulation
        if settings.steps
        else settings.epochs * draws(fold.values(), settings) * slices
        for fold in of_kind
    )
    step = Step("finetune", config.name, Estimate(learners, counts.basis), questions=Estimate(seen, "estimate"))
    if weights is None:
        return step
    found, _ = _each(context, config, [(plane, task) for plane in planes for task in tasks], folder)
    text, image, answer = (sum(one) / len(found) for one in zip(*map(astuple, found.values()), strict=True))
    mean = Question(text, image, answer)
    cost = _Cost(family_of(config.checkpoint).beside, weights.parameters)
    kept = settings.batch_size * (mean.text + mean.answer + cost.kept * mean.image) * LEARNT_BYTES
    own = weight_bytes(config, weights) if settings.method == "lora" else 16 * weights.parameters
    operations = LEARN * cost.operations(mean) * seen
    return replace(
        step,
        gpu_memory_gib=gib(own + kept),
        hours_here=hours(operations / plan_inputs.here.flops16),
        hours_there=hours(operations / plan_inputs.there.flops16),
    )


def weight_bytes(config: LanguageModelConfig, weights: Weights) -> float:
    """Of all weights in memory; in 4 and 8 bits the embeddings and scales, a tenth, are kept as they are."""
    quantised = {"4bit": 0.5, "8bit": 1.0}.get(config.quantisation or "")
    if quantised is not None:
        return weights.parameters * (0.9 * quantised + 0.1 * 2)
    return weights.parameters * {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}.get(
        config.dtype, weights.stored_bytes
    )
