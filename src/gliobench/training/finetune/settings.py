"""How a vision-language model is fine-tuned."""

import math
from dataclasses import dataclass
from typing import Literal

from gliobench.grid.frame import Plane
from gliobench.models.unsloth import Engine

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
    study asks.
    `evaluate_every`: steps between judgements on `validation_slices` slices of each task; after `patience` of them
    without a better one it stops. `metric`: what is better: less validation `loss`, or a higher `score` of the model's
    own answers. The best weights are kept.
    """

    engine: Engine = "transformers"
    method: Method = "lora"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    towers: Towers = "language"
    modules: tuple[str, ...] = MODULES
    learning_rate: float = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    steps: int | None = None
    epochs: float = 1.0
    batch_size: int = 4
    accumulation: int = 4
    gradient_checkpointing: bool = True
    optimiser: Literal["auto", "adamw", "adamw-8bit"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    every: int = 1
    min_area_px: int = 1
    trim: int = 0
    tasks: tuple[str, ...] | None = None
    planes: tuple[Plane, ...] | None = None
    evaluate_every: int = 50
    validation_slices: int = 32
    patience: int = 5
    metric: Literal["loss", "score"] = "loss"
    seed: int = 0


def steps_an_epoch(settings: FinetuneSettings, examples: int) -> int:
    """How many steps of the optimiser one epoch takes; the last can be of fewer slices."""
    return math.ceil(math.ceil(examples / settings.batch_size) / settings.accumulation)


def total_steps(settings: FinetuneSettings, examples: int) -> int:
    """How many steps of the optimiser a training takes, as transformers counts them."""
    return settings.steps or math.ceil(settings.epochs * steps_an_epoch(settings, examples))
