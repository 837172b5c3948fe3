"""How a vision-language model is fine-tuned."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from gliobench.grid.frame import Planes
from gliobench.models.checkpoints.unsloth import Engine
from gliobench.ranges import Batch, Count, Decay, Rate, Real, Seed, ShareFromZero, Step, Text, Whole
from gliobench.tasks.names import Tasks

STEPS = "steps"  # the folder with the checkpoints that an interrupted fine-tuning resumes from
Method = Literal["lora", "full"]
Towers = Literal["language", "vision", "both"]
# Names of linear layers in transformers' families, in the language model and in the vision tower.
MODULES = (
    *("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv"),
    *("gate_proj", "up_proj", "down_proj", "fc1", "fc2"),
)


@dataclass(frozen=True)
class FinetuneSettings:
    """`method`: `lora` trains an adapter of `rank`, scaled by `alpha` / `rank`, with `dropout`; `full` trains all
    weights. `engine`: the library that loads and wraps the model; trainer, data, evaluation and checks are the same.

    `towers`: the trainable parts; in them LoRA adapts the linear layers whose names end in one of `modules`.
    `learning_rate`: rises over the first `warmup` fraction of the steps, then follows `schedule`. `steps`: of the
    optimiser; None: those of `epochs`. A step uses `batch_size` x `accumulation` slices. `optimiser` "auto": 8-bit
    AdamW where bitsandbytes works, else AdamW. `precision` "auto": bfloat16 where the GPU supports it. `every`,
    `min_area_px`: the training slices, as in a study's `slices`. `trim`: how many of a patient's slices are left out at
    either end of the tumour. `tasks`, `planes`: those trained on; None: all that the study asks. `patients`: the
    training patients; `all`: validation patients too, so that there is no validation: the last step is kept, and
    `evaluate_every` is the interval of saving. `balance_grades`: both grades and all tasks are drawn equally often,
    with as many draws per epoch as there are questions; `copies`: with so many that each is as frequent as the most
    frequent, none left out; False: each question once. `evaluate_every`: steps between evaluations on
    `validation_slices` slices of each task; it stops after `patience` evaluations without improvement. `metric`: lower
    validation `loss`, or higher `score` of the model's own answers. The best weights are kept.
    """

    engine: Engine = "transformers"
    method: Method = "lora"
    rank: Batch = 16
    alpha: Count = 32
    dropout: ShareFromZero = 0.05
    towers: Towers = "language"
    modules: Annotated[tuple[Text, ...], Field(min_length=1)] = MODULES
    learning_rate: Rate = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: ShareFromZero = 0.05
    weight_decay: Decay = 0.0
    steps: Count | None = None
    epochs: Annotated[Real, Field(gt=0, le=10_000)] = 1.0
    batch_size: Batch = 4
    accumulation: Batch = 4
    gradient_checkpointing: bool = True
    optimiser: Literal["auto", "adamw", "adamw-8bit"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    every: Step = 1
    min_area_px: Count = 1
    trim: Annotated[Whole, Field(ge=0, le=1024)] = 0
    patients: Literal["training", "all"] = "training"
    balance_grades: bool | Literal["copies"] = True
    tasks: Tasks | None = None
    planes: Planes | None = None
    evaluate_every: Count = 50
    validation_slices: Count = 32
    patience: Count = 5
    metric: Literal["loss", "score"] = "loss"
    seed: Seed = 0


LATER = ("patients", "balance_grades")  # keys of later versions: their defaults mean the earlier behaviour


def recorded(settings: FinetuneSettings) -> Mapping[str, Any]:
    """The settings in the digest of a training, which stays the same for trainings from before `LATER`."""
    default = FinetuneSettings()
    content = asdict(settings)
    del content["trim"]  # the questions, also in the digest, reflect it
    return {key: value for key, value in content.items() if key not in LATER or value != getattr(default, key)}


def draws(counts: Collection[float], settings: FinetuneSettings) -> float:
    """Draws per epoch. `counts`: the number of questions of each task and grade."""
    return max(counts) * len(counts) if settings.balance_grades == "copies" and counts else sum(counts)


def steps_an_epoch(settings: FinetuneSettings, draws: int) -> int:
    """Steps of the optimiser per epoch; the last can have fewer slices."""
    return math.ceil(math.ceil(draws / settings.batch_size) / settings.accumulation)


def total_steps(settings: FinetuneSettings, draws: int) -> int:
    """Steps of the optimiser in a training, as transformers counts them. `draws`: questions per epoch."""
    return settings.steps or math.ceil(settings.epochs * steps_an_epoch(settings, draws))
