"""What it takes to ask a language model: tokens, memory, time and money."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gliobench.grid.frame import INDEX_AXIS, Plane, SliceFrame
from gliobench.grid.regions import Region
from gliobench.records.store import RecordStore
from gliobench.study.context import Context
from gliobench.study.kinds.openai import ServerModel
from gliobench.study.kinds.vlm import LanguageModel
from gliobench.study.plan.amounts import Amount, Basis, Step, worst
from gliobench.study.plan.counts import Counts, assumed_slices, first_folds, images_count, questions_by_place
from gliobench.study.plan.families import Weights, checkpoint_here, family_of, prompt_tokens, weights_of
from gliobench.study.plan.hardware import Hardware
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.prompt_file import PromptError, read_prompt_file
from gliobench.tasks.registry import TASKS

TEMPLATE_TOKENS = 20  # what a chat template puts around a prompt
VISION_PARAMETERS = 0.9e9  # of Llama 3.2 Vision's tower, through which image tokens that stand beside the text go
ACTIVATION_BYTES = 40 * 1024  # a token of the batch: some ten vectors of a layer of 7 to 11 B, 16 bits
CROSS_LAYERS = 0.2  # of Llama 3.2 Vision's 40 layers, 8 look at the image and keep its keys and values
LEARN = 4  # once forward, once more for checkpointed gradients, twice as much backward
LEARNT_BYTES = 400 * 1024  # a token: every layer's input, and one layer in full
BATCH = 16  # where a study leaves it to memory
SERVER_SECONDS = 2.0  # an answer
GIB = 2**30

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


def served_step(context: Context, part: ServerModel, counts: Counts) -> Step:
    """The stage `predict` of one language model on a server."""
    step, asked, _, earlier, tokens_in, out = _asking(context, part, counts, None)
    return _served(step, part, asked, earlier, tokens_in, out)


def ask_step(context: Context, part: LanguageModel, counts: Counts, here: Hardware, there: Hardware) -> Step:
    """The stage `predict` of one language model in this process."""
    folder = checkpoint_here(context, part.checkpoint, part.revision)
    step, asked, each, earlier, *_ = _asking(context, part, counts, folder)
    return _in_process(step, part, weights_of(part.checkpoint, folder), asked, each, earlier, here, there)


def _asking(
    context: Context, part: LanguageModel | ServerModel, counts: Counts, folder: Path | None
) -> tuple[Step, dict[Place, float], dict[Place, Question], dict[str, Earlier], float, float]:
    """The step as far as it is alike for all, questions by place, what each takes, earlier answers, and the tokens in
    and out."""
    asked = questions_by_place(counts, part, context.study)
    each, tokens = _each(context, part, list(asked), folder)
    earlier = _earlier(context, part.name)
    basis = worst(counts.basis, counts.slices_basis)
    text = sum(number * each[place].text for place, number in asked.items())
    image = sum(number * each[place].image for place, number in asked.items())
    out, said = 0.0, bool(earlier)
    for (plane, task), number in asked.items():
        said = said and task in earlier
        out += number * (earlier[task].tokens if task in earlier else each[plane, task].answer)
    step = Step(
        stage="predict",
        model=part.name,
        patients=Amount(len(counts.tested), counts.basis),
        images=Amount(images_count(counts, part), basis),
        questions=Amount(sum(asked.values()), basis),
        text_tokens_in=Amount(text, worst(basis, tokens)),
        image_tokens_in=Amount(image, worst(basis, tokens)),
        tokens_out=Amount(out, worst(basis, "measured" if said else "estimate")),
    )
    return step, asked, each, earlier, text + image, out


def _each(
    context: Context, part: LanguageModel | ServerModel, places: list[tuple[Plane, str]], folder: Path | None
) -> tuple[dict[tuple[Plane, str], Question], Basis]:
    name = part.known_as
    family = family_of(name)
    found: dict[tuple[Plane, str], Question] = {}
    basis: Basis = "estimate" if folder is None else "counted"
    for plane, task in places:
        depth_height_width = context.study.grid.shape
        rows, columns = (size for axis, size in enumerate(depth_height_width) if axis != INDEX_AXIS[plane])
        prompt = _prompt(part, task, context.study.asked_region)
        shown = part.picture.shown_frame(SliceFrame(plane, 0, (rows, columns), (1.0, 1.0)))
        words, (rows, columns) = prompt.about(shown), shown.shape
        told = prompt_tokens(folder, words, (rows, columns)) if folder else None
        if told is None or part.shots or part.view.name in ("mosaic", "montage"):
            basis = "estimate"  # one plain slice was tokenised
        text = told[0] if told else len(words) / family.letters + TEMPLATE_TOKENS
        image = told[1] if told and not family.beside else family.image_tokens(rows, columns)
        written = 0 if part.by_choice(task) else part.max_new_tokens or prompt.max_new_tokens
        found[plane, task] = Question(text * (1 + part.shots), image * (1 + part.shots), written)
    return found, basis


def _prompt(part: LanguageModel | ServerModel, task: str, region: Region) -> Prompt:
    try:
        return read_prompt_file(part.prompts, task).of(region) if part.prompts else TASKS[task].prompt_about(region)
    except PromptError:  # said under what is missing
        return TASKS[task].prompt_about(region)


def _earlier(context: Context, model: str) -> dict[str, Earlier]:
    """Means of what was answered before in this folder, by task."""
    seconds: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    for record in RecordStore(context.folder.answers(model)).read():
        if record.seconds is not None:
            seconds.setdefault(record.task, []).append(record.seconds)
            tokens.setdefault(record.task, []).append(record.tokens or 0)
    return {task: Earlier(sum(all) / len(all), sum(tokens[task]) / len(all)) for task, all in seconds.items()}


def _served(
    step: Step,
    part: ServerModel,
    asked: Mapping[tuple[Plane, str], float],
    earlier: Mapping[str, Earlier],
    tokens_in: float,
    tokens_out: float,
) -> Step:
    measured = earlier and all(task in earlier for _, task in asked)
    if measured:
        seconds = sum(number * earlier[task].seconds for (_, task), number in asked.items())
    else:
        seconds = sum(asked.values()) * SERVER_SECONDS / part.in_flight
    hours = Amount(seconds / 3600, "measured" if measured else "estimate")
    if part.prices is None:
        return replace(step, hours_here=hours)
    cost = (tokens_in * part.prices.prompt + tokens_out * part.prices.answer) / 1e6
    return replace(step, hours_here=hours, money=Amount(cost, "estimate"), currency=part.prices.currency)


def _in_process(
    step: Step,
    part: LanguageModel,
    weights: Weights | None,
    asked: Mapping[tuple[Plane, str], float],
    each: Mapping[tuple[Plane, str], Question],
    earlier: Mapping[str, Earlier],
    here: Hardware,
    there: Hardware,
) -> Step:
    measured = bool(earlier) and all(task in earlier for _, task in asked)
    seconds = sum(number * earlier[task].seconds for (_, task), number in asked.items()) if measured else 0.0
    if weights is None:
        return replace(step, hours_here=Amount(seconds / 3600, "measured")) if measured else step
    batch = BATCH if part.batch_size == "auto" else part.batch_size
    beside = family_of(part.checkpoint).beside

    def hours(machine: Hardware) -> float:
        total = 0.0
        for place, number in asked.items():
            one = each[place]
            read = one.text + (0 if beside else one.image)
            operations = 2 * weights.parameters * (read + one.answer)
            operations += 2 * min(VISION_PARAMETERS, weights.parameters) * one.image if beside else 0
            fetched = one.answer * weight_bytes(part, weights) / batch / machine.bandwidth
            total += number * (operations / machine.flops16 + fetched)
        return total / 3600

    looked_at = CROSS_LAYERS if beside else 1.0
    cached = max((one.text + one.answer + looked_at * one.image for one in each.values()), default=0.0)
    alive = max((one.text + one.answer + one.image for one in each.values()), default=0.0)
    memory = weight_bytes(part, weights) + batch * (cached * weights.cache_bytes + alive * ACTIVATION_BYTES)
    return replace(
        step,
        gpu_memory_gib=Amount(memory / GIB, "estimate"),
        hours_here=Amount(seconds / 3600, "measured") if measured else Amount(hours(here), "estimate"),
        hours_there=Amount(hours(there), "estimate"),
    )


def finetune_step(context: Context, part: LanguageModel, counts: Counts, here: Hardware, there: Hardware) -> Step:
    """The stage `finetune` of one language model, an adapter or all weights, over all folds that it learns from."""
    from gliobench.study.finetune import finetune_settings, taught_patients
    from gliobench.training.finetune.settings import draws

    settings = finetune_settings(part)
    planes = settings.planes or context.study.slices.planes
    tasks = taught_tasks(context, part)
    preset = context.study.grid.preset
    slices = sum(assumed_slices(context.study, preset, plane, settings.every, settings.trim) for plane in planes)
    taught = [
        [counts.patients[id] for id in taught_patients(settings, fold)[0] if counts.patients[id].mask]
        for fold in first_folds(counts)
    ]
    learners = max((sum(one.teaches_about_slices(tasks) > 0 for one in fold) for fold in taught), default=0)
    a_step = settings.batch_size * settings.accumulation
    of_kind = [Counter((task, one.grade) for one in fold for task in tasks if one.teaches(task)) for fold in taught]
    seen = [
        settings.steps * a_step if settings.steps else settings.epochs * draws(fold.values(), settings) * slices
        for fold in of_kind
    ]
    step = Step("finetune", part.name, Amount(learners, counts.basis), questions=Amount(sum(seen), "estimate"))
    folder = checkpoint_here(context, part.checkpoint, part.revision)
    weights = weights_of(part.checkpoint, folder)
    if weights is None:
        return step
    each, _ = _each(context, part, [(plane, task) for plane in planes for task in tasks], folder)
    beside = family_of(part.checkpoint).beside
    tokens = sum(one.text + one.answer + (0 if beside else one.image) for one in each.values()) / len(each)
    image = sum(one.image for one in each.values()) / len(each) if beside else 0.0
    once = 2 * (weights.parameters * tokens + min(VISION_PARAMETERS, weights.parameters) * image)
    kept = settings.batch_size * (tokens + CROSS_LAYERS * image) * LEARNT_BYTES
    own = weight_bytes(part, weights) if settings.method == "lora" else 16 * weights.parameters
    return replace(
        step,
        gpu_memory_gib=Amount((own + kept) / GIB, "estimate"),
        hours_here=Amount(LEARN * once * sum(seen) / here.flops16 / 3600, "estimate"),
        hours_there=Amount(LEARN * once * sum(seen) / there.flops16 / 3600, "estimate"),
    )


def taught_tasks(context: Context, part: LanguageModel) -> list[str]:
    """What a language model is fine-tuned on."""
    chosen = part.finetune.tasks if part.finetune else None
    return [task for task in context.study.tasks if task in (chosen or part.tasks)]


def weight_bytes(part: LanguageModel, weights: Weights) -> float:
    """Of all weights in memory; in 4 and 8 bits the embeddings and scales, a tenth, are kept as they are."""
    quantised = {"4bit": 0.5, "8bit": 1.0}.get(part.quantisation or "")
    if quantised is not None:
        return weights.parameters * (0.9 * quantised + 0.1 * 2)
    return weights.parameters * {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}.get(part.dtype, weights.stored_bytes)
