"""A LoRA adapter from a PEFT folder or the hub, applied only to the checkpoint that it was trained on."""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from peft import PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.adapter_names import PREFIX, config_of_today, weights_of_today
from gliobench.models.checkpoints.files import ADAPTER, adapter_fault

CONFIG, WEIGHTS = ADAPTER


def adapter_folder(source: str | Path) -> Path:
    """The folder of an adapter; one on the hub is downloaded, its two files and nothing else. Raises ModelError."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        if isinstance(source, Path) or source.startswith((".", "/", "~")) or source.count("/") != 1:
            raise ModelError(f"{folder} does not exist: expected the folder of a PEFT adapter ({CONFIG}, {WEIGHTS})")
        try:
            folder = Path(snapshot_download(source, allow_patterns=[CONFIG, WEIGHTS]))
        except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
            raise ModelError(
                f"the adapter {source} was not found locally or on the Hub: check its spelling, your "
                f"access to it and the network ({str(error).splitlines()[0]})"
            ) from error
    if fault := adapter_fault(folder):
        raise ModelError(fault)
    return folder


def adapter_identity(folder: Path) -> str:
    """The adapter's name and the SHA-256 of its configuration and weights."""
    total = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.name} sha256:{total.hexdigest()}"


def with_adapter(model: Any, folder: Path, base: str) -> Any:
    """The model with the adapter's weights beside its own (not merged). `base`: the checkpoint's folder name or hub id.

    Raises ModelError for an adapter that names another checkpoint, or whose weights do not fit this one.
    """
    try:
        config = PeftConfig.from_pretrained(str(folder))
        weights = load_file(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ModelError(f"the adapter {folder} cannot be read: {error}") from error
    named = config.base_model_name_or_path
    if named and Path(named).name != Path(base).name:
        raise ModelError(
            f"{folder} is an adapter for another base model: it was trained on {named}, and the checkpoint is {base}; "
            f"if they are the same weights under two names, correct base_model_name_or_path in its {CONFIG}"
        )
    if config.is_prompt_learning:
        raise ModelError(f"{folder} holds trained prompts ({config.peft_type}); expected an adapter of weights: LoRA")
    config.inference_mode = True
    config = config_of_today(config, weights, model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT uses an older name of transformers
            adapted = PeftModel(model, config, autocast_adapter_dtype=False)
    except ValueError as error:  # the modules that it adapts are missing
        raise ModelError(f"{folder} is an adapter for another base model than {base}: {error}") from error
    own = get_peft_model_state_dict(adapted, save_embedding_layers=False)  # "auto" queries the Hub for the base
    expected = {name: tuple(tensor.shape) for name, tensor in own.items()}
    weights = weights_of_today(weights, expected, adapted.get_base_model())
    weights = _without_the_bases_own(weights, expected, adapted.get_base_model(), folder)
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise ModelError(
            f"{folder} is an adapter for another base model than {base}: {len(wrong)} of its weights do not fit, first "
            f"{wrong[0]} (expected {expected.get(wrong[0], 'none')}, found {found.get(wrong[0], 'none')})"
        )
    set_peft_model_state_dict(adapted, weights)
    return adapted.get_base_model()


def _without_the_bases_own(
    weights: dict[str, Tensor], expected: Mapping[str, tuple[int, ...]], model: Any, folder: Path
) -> dict[str, Tensor]:
    """The weights without copies of the base model's own embeddings, which PEFT can save with an adapter.

    Raises ModelError for embeddings that differ from the base model's: the adapter was trained with others.
    """
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    kept = dict(weights)
    for name, module in model.named_modules():
        saved = f"{PREFIX}{name}.weight"
        if saved in expected or saved not in kept or not any(module is table for table in tables):
            continue
        found = kept.pop(saved)
        if not torch.equal(found, module.weight.detach().cpu().to(found.dtype)):
            raise ModelError(
                f"{folder} holds embeddings ({name}) that are not the checkpoint's: it was trained with other tokens "
                "or another base model; only an adapter for the checkpoint's own embeddings can be used"
            )
    return kept
