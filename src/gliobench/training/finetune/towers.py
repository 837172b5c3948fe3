"""The parts of a vision-language model: vision tower, language model and connector."""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from gliobench.models.base.errors import ModelError
from gliobench.training.finetune.settings import FinetuneSettings, Towers

CONNECTOR = r"(?:connector|projector|aligner|merger|embed_vision)"  # may be inside the vision tower: matched first
VISION = r"(?:vision|visual|image_encoder)"
LEARNS: dict[Towers, tuple[str, ...]] = {
    "language": ("language",),
    "vision": ("vision",),
    "both": ("language", "vision", "connector"),
}


def tower(name: str) -> str:
    """Which part a parameter or module belongs to, by its name: `language`, `vision` or `connector`."""
    if re.search(CONNECTOR, name):
        return "connector"
    return "vision" if re.search(VISION, name) else "language"


def adapted_layers(towers: Towers, modules: Sequence[str]) -> str:
    """The pattern that a layer's whole name has to match to be adapted, in the form of PEFT's `target_modules`.

    A plain list of names would adapt the layers of the same names in the other tower too.
    """
    last = "|".join(re.escape(module) for module in modules)
    where = {
        "language": rf"(?!.*(?:{CONNECTOR}|{VISION}))",
        "vision": rf"(?!.*{CONNECTOR})(?=.*{VISION})",
        "both": "",
    }
    return rf"{where[towers]}(?:.*\.)?(?:{last})"


def lora_config(settings: FinetuneSettings) -> Any:
    """PEFT's configuration of an adapter."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=adapted_layers(settings.towers, settings.modules),
        bias="none",
    )


def with_lora(network: nn.Module, settings: FinetuneSettings) -> tuple[Any, Any]:
    """The arguments of TRL's trainer: a model and, where the trainer adds the adapter, the adapter's configuration.

    Unsloth takes the same pattern and adapts the same layers.
    """
    if settings.engine == "transformers":
        return network, lora_config(settings)
    from unsloth import FastVisionModel

    adapted = FastVisionModel.get_peft_model(
        network,
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=adapted_layers(settings.towers, settings.modules),
        finetune_vision_layers=settings.towers != "language",
        finetune_language_layers=settings.towers != "vision",
        bias="none",
        use_gradient_checkpointing="unsloth" if settings.gradient_checkpointing else False,
        random_state=settings.seed,
    )
    return adapted, None


def check_learns(name: str, model: nn.Module, settings: FinetuneSettings) -> None:
    """Raise ModelError where nothing of the model is trainable."""
    pattern = adapted_layers(settings.towers, settings.modules)
    if settings.method == "lora" and not any(re.fullmatch(pattern, layer) for layer, _ in model.named_modules()):
        raise ModelError(
            f"{name}: no layer of its {settings.towers} part is called {', '.join(settings.modules)}: nothing would "
            "be trained; name its linear layers in `finetune.modules`"
        )
    if settings.method == "full" and not any(
        tower(one) in LEARNS[settings.towers] for one, _ in model.named_parameters()
    ):
        raise ModelError(f"{name} has no {settings.towers} part recognisable by its name: use `towers: both`")


def free_towers(model: nn.Module, towers: Towers) -> None:
    """Make the parameters of these towers trainable, and no others."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(tower(name) in LEARNS[towers])


def trainable_by_tower(model: nn.Module) -> dict[str, tuple[int, int]]:
    """For each part, the number of trainable parameters and of all."""
    counts: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        learns, total = counts.get(tower(name), (0, 0))
        counts[tower(name)] = learns + parameter.numel() * parameter.requires_grad, total + parameter.numel()
    return counts
