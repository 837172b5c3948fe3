"""Adapters from before transformers 4.52, which moved the modules of vision-language models: PEFT names an adapter's
weights, and what it adapts, by modules."""

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key
from torch import Tensor
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming

PREFIX = "base_model.model."  # of every weight that PEFT saves


def weights_of_today(
    weights: dict[str, Tensor], expected: Mapping[str, tuple[int, ...]], model: Any
) -> dict[str, Tensor]:
    """The weights under the current names of the model's modules.

    Names that the model does not have are looked up in the table that renames a checkpoint's weights. Where two old
    names map to the same new one, both keep theirs, and are rejected later.
    """
    renamed = _renaming(model)

    def today(name: str) -> str:
        if name in expected or not name.startswith(PREFIX):
            return name
        found = PREFIX + renamed(name.removeprefix(PREFIX))
        return found if found in expected else name

    names = {name: today(name) for name in weights}
    if len(set(names.values())) < len(names):
        return weights
    return {names[name]: tensor for name, tensor in weights.items()}


def config_of_today(config: Any, weights: Iterable[str], model: Any) -> Any:
    """PEFT's configuration of an adapter, with the current names of the model's modules.

    A pattern over the older names cannot be rewritten, so it is matched against the modules' older names and replaced
    by the modules found, with their rank and alpha. A list of last name components fits both, and stays.
    """
    moved = _moved(weights, model)
    targets = config.target_modules
    fits_both = targets == "all-linear" or (not isinstance(targets, str) and not any("." in one for one in targets))
    ranks, alphas = config.rank_pattern, config.alpha_pattern
    if not moved or (fits_both and not (config.exclude_modules or ranks or alphas)):
        return config
    older = _older_names(moved, [name for name, _ in model.named_modules()])
    found = [name for name, old in older.items() if check_target_module_exists(config, old)]
    if not found:
        return config
    new = copy(config)
    new.target_modules = set(found)
    new.exclude_modules = new.layers_to_transform = new.layers_pattern = None
    new.rank_pattern, new.alpha_pattern = (_by_name(pattern, found, older) for pattern in (ranks, alphas))
    return new


def _renaming(model: Any) -> Callable[[str], str]:
    """A function from the old name of a weight to its current one."""
    table = [step for step in get_model_conversion_mapping(model) if isinstance(step, WeightRenaming)]

    def renamed(name: str) -> str:
        for step in table:
            name, _ = step.rename_source_key(name)
        return name

    return renamed


def _moved(weights: Iterable[str], model: Any) -> dict[str, str]:
    """Current and old prefixes of the adapted modules whose names changed."""
    modules, renamed = {name for name, _ in model.named_modules()}, _renaming(model)
    beginnings = {}
    for weight in weights:
        old = weight.removeprefix(PREFIX).partition(".lora_")[0]
        new = renamed(f"{old}.weight").removesuffix(".weight")
        if old not in modules and new in modules:
            before, now = old.split("."), new.split(".")
            while before and now and before[-1] == now[-1]:
                before, now = before[:-1], now[:-1]
            beginnings[".".join(now)] = ".".join(before)
    return beginnings


def _older_names(moved: Mapping[str, str], modules: Iterable[str]) -> dict[str, str]:
    """Each module's current name with its old one. The prefix `model` was added to all of them at once."""
    beginnings = sorted({"model": "", **moved}.items(), key=lambda one: -len(one[0]))

    def older(name: str) -> str:
        for now, before in beginnings:
            if name.startswith(f"{now}."):
                return f"{before}.{name.removeprefix(f'{now}.')}".removeprefix(".")
        return name

    return {name: older(name) for name in modules}


def _by_name(pattern: Mapping[str, int], found: Iterable[str], older: Mapping[str, str]) -> dict[str, int]:
    """Rank or alpha by each module's current name, from one by patterns over the older names."""
    keys = {name: get_pattern_key(list(pattern), older[name]) for name in found}
    return {re.escape(name): pattern[key] for name, key in keys.items() if key in pattern}
