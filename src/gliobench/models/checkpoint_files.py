"""Whether the folder of a checkpoint can be used, by its files alone: no weight is read, and nothing heavy imported
before it must be."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gliobench.models.errors import ModelError

INDEX = "model.safetensors.index.json"
IMAGES = ("preprocessor_config.json", "processor_config.json")
TOKENS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
MOST_HEAD_BYTES = 100_000_000  # the most that safetensors itself reads


def checkpoint_fault(folder: Path, *, answers: bool) -> str | None:
    """Why the checkpoint in a folder cannot be used; None where it can, as far as its files tell.

    `answers`: whether it has to read images and answer in text.
    """
    try:
        _check_config(folder, answers)
        for file in _weight_files(folder):
            _check_weights(file)
        for what, files in (("image processor", IMAGES), ("tokenizer", TOKENS)) if answers else ():
            if not any((folder / name).is_file() for name in files):
                raise ModelError(f"{folder} has no {what}: expected one of {', '.join(files)}")
    except (ModelError, OSError) as error:
        return str(error)
    return None


def _check_config(folder: Path, answers: bool) -> None:
    if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
        raise ModelError(
            f"{folder} is an adapter: name it under `adapter`, and under `checkpoint` what it was trained on"
        )
    config = _json(folder / "config.json")
    family = config.get("model_type")
    if not isinstance(family, str):
        raise ModelError(f"{folder / 'config.json'} names no model_type")
    if not answers:
        return
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    if family not in KNOWN:
        raise ModelError(
            f"{folder} is a {family!r} model, which does not read images and answer in text; expected an "
            "image-text-to-text checkpoint, such as mllama, idefics3, llava, qwen3_vl or gemma3"
        )


def _json(file: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelError where there is none."""
    if not file.is_file():
        raise ModelError(f"{file.parent} has no {file.name}: expected the folder of a transformers checkpoint")
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is damaged: no JSON ({error})") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file} is damaged: expected an object")
    return found


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that hold the weights. Raises ModelError where one that the index names is not there."""
    found = sorted(folder.glob("*.safetensors"))
    if (folder / INDEX).is_file():
        shards = _json(folder / INDEX).get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
            raise ModelError(f"{folder / INDEX} is damaged: expected a weight_map of file names")
        missing = sorted(name for name in set(shards.values()) if not (folder / name).is_file())
        if missing:
            raise ModelError(
                f"{folder} lacks {len(missing)} of the {len(set(shards.values()))} files of weights that {INDEX} names "
                f"({missing[0]}): download the checkpoint again"
            )
    elif not found:
        raise ModelError(f"{folder} has no weights: expected *.safetensors (pickled weights, *.bin, are never read)")
    yield from found


def _check_weights(file: Path) -> None:
    """Raise ModelError for a safetensors file that is shorter or longer than its head says."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        head = opened.read(length) if 0 < length <= min(size, MOST_HEAD_BYTES) else b""
    try:
        tensors = [tensor for name, tensor in json.loads(head).items() if name != "__metadata__"]
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors), default=0)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{file} is damaged, or no safetensors file: download it again") from None
    if end != size:
        raise ModelError(f"{file} is damaged: {size} bytes, expected {end}: download it again")
