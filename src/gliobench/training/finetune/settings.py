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

STEPS = "steps"  # the folder of what an interrupted fine-tuning goes on from
Method = Literal["lora", "full"]
Towers = Literal["language", "vision", "both"]
# What transformers' families call their linear layers, in the language model and in the vision tower.
MODULES = (
    *("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv"),
    *("gate_proj", "up_proj", "down_proj", "fc1", "fc2"),
)


@dataclass(frozen=True)
class FinetuneSettings:
    """`method`: `lora` learns an adapter of `rank`, scaled by `alpha` / `rank`, with `dropout`; `full` learns all
    weights. `engine`: whose code loads and wraps what learns; trainer, data, judgement and checks are the same.

    `towers`: what learns; of those, LoRA adapts the linear layers whose names end in one of `modules`.
    `learning_rate`: rises over the first `warmup` share of the steps, then follows `schedule`. `steps`: of the
    optimiser; None: as many as `epochs` take. A step learns from `batch_size` x `accumulation` slices.
    `optimiser` "auto": 8-bit AdamW where bitsandbytes computes, else AdamW. `precision` "auto": bfloat16 where the GPU
    multiplies it. `every`, `min_area_px`: which slices are learnt from, as in a study's `slices`. `trim`: how many of
    a patient's slices are left out at either end of the tumour. `tasks`, `planes`: what is learnt; None: all that the
    study asks. `patients`: whom is learnt from; `all`: validation patients too, so that none is left to validate on:
    the last step is kept, and `evaluate_every` says how often the state is saved. `balance_grades`: both grades and all
    tasks are drawn alike, in as many draws an epoch as there are questions; `copies`: in as many as make each as
    frequent as the most frequent is, nobody left out; False: each question once.
    `evaluate_every`: steps between judgements on `validation_slices` slices of each task; after `patience` of them
    without a better one it stops. `metric`: what is better: less validation `loss`, or a higher `score` of the model's
    own answers. The best weights are kept.
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


LATER = ("patients", "balance_grades")  # keys that came later: at their default they mean what was meant before


def recorded(settings: FinetuneSettings) -> Mapping[str, Any]:
    """The settings as a training to go on with knows them: of one from before `LATER` it stays the same."""
    default = FinetuneSettings()
    content = asdict(settings)
    del content["trim"]  # the questions that go with the settings have what it leaves
    return {key: value for key, value in content.items() if key not in LATER or value != getattr(default, key)}


def draws(counts: Collection[float], settings: FinetuneSettings) -> float:
    """How many questions an epoch draws. `counts`: how many there are of each task and grade."""
    return max(counts) * len(counts) if settings.balance_grades == "copies" and counts else sum(counts)


def steps_an_epoch(settings: FinetuneSettings, draws: int) -> int:
    """How many steps of the optimiser an epoch of so many draws takes; the last can be of fewer slices."""
    return math.ceil(math.ceil(draws / settings.batch_size) / settings.accumulation)


def total_steps(settings: FinetuneSettings, draws: int) -> int:
    """How many steps of the optimiser a training takes, as transformers counts them. `draws`: questions an epoch."""
    return settings.steps or math.ceil(settings.epochs * steps_an_epoch(settings, draws))
