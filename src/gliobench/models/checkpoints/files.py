"""Whether the folder of a checkpoint can be used, before any work starts: no weight is read, and nothing heavy is
imported until the files themselves have passed."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from gliobench.models.base.errors import ModelError

Use = Literal["language", "segmenter", "encoder"]

INDEX = "model.safetensors.index.json"
IMAGES = ("preprocessor_config.json", "processor_config.json")
TOKENS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
OBJECTS = (
    *("generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "chat_template.json", "video_preprocessor_config.json", *IMAGES),
)  # files that are one JSON object, where they are there
READ = (".safetensors", ".json", ".jinja", ".model")
POINTER = b"version https://git-lfs"  # the beginning of a file that only points to its content
QUANTISED = ("I8", "U8", "F8", "F4", "F6", "I4", "U4")  # prefixes of the dtypes with fewer than 16 bits
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
MOST_HEAD_BYTES = 100_000_000  # the most that safetensors itself reads


def checkpoint_fault(folder: Path, use: Use) -> str | None:
    """Why the checkpoint in a folder cannot be used; None where it can, as far as shows without reading its weights.

    `use`: what it has to do; a language model reads images and answers in text. Checked once per process, as long as
    the files' sizes and times stay the same.
    """
    try:
        files = [path for path in sorted(folder.iterdir()) if _is_read(path)]
        return _fault(folder, use, tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files))
    except OSError as error:
        return str(error)


def _is_read(path: Path) -> bool:
    return (path.suffix in READ or path.name in ("vocab.txt", "merges.txt")) and path.is_file()


@lru_cache(maxsize=32)
def _fault(folder: Path, use: Use, files: tuple[tuple[Path, int, int], ...]) -> str | None:
    answers = use == "language"
    try:
        for file, size, _ in files:
            _check_content(file, size)
        quantised = _check_config(folder, answers)
        for file in _weight_files(folder):
            _check_weights(file, quantised)
        for what, names in (("image processor", IMAGES), ("tokenizer", TOKENS)) if answers else ():
            if not any((folder / name).is_file() for name in names):
                raise ModelError(f"{folder} has no {what}: expected one of {', '.join(names)}")
        for name in OBJECTS:
            if (folder / name).is_file():
                _json(folder / name)
        if answers:
            _check_ends(folder / "generation_config.json")
        from gliobench.models.checkpoints.trial import try_checkpoint

        try_checkpoint(folder, use)
    except (ModelError, OSError) as error:
        return str(error)
    return None


def adapter_fault(folder: Path) -> str | None:
    """Why the adapter in a folder cannot be used, whatever it was trained on; None where it can, as far as its files
    show."""
    config, weights = (folder / name for name in ADAPTER)
    try:
        if missing := [file.name for file in (config, weights) if not file.is_file()]:
            raise ModelError(
                f"the adapter {folder} has no {' and no '.join(missing)}: expected what PEFT's save_pretrained writes "
                "(pickled weights, adapter_model.bin, are never read)"
            )
        for file in (config, weights):
            _check_content(file, file.stat().st_size)
        if not isinstance(_json(config).get("peft_type"), str):
            raise ModelError(f"{config} names no peft_type: expected what PEFT's save_pretrained writes")
        _check_weights(weights, quantised=False)
    except (ModelError, OSError) as error:
        return str(error)
    return None


def quantised_by(folder: Path) -> str | None:
    """What the weights of a checkpoint were quantised with, such as "bitsandbytes"; None where they were not.

    Raises ModelError for a damaged configuration.
    """
    file = folder / "config.json"
    found = _json(file).get("quantization_config")
    if found is None:
        return None
    method = found.get("quant_method", "bitsandbytes") if isinstance(found, dict) else None
    if not isinstance(method, str):
        raise ModelError(f"{file} is damaged: expected quantization_config to be an object with a quant_method")
    return method


def _check_content(file: Path, size: int) -> None:
    """Raise ModelError for a file that is empty, or that only points to its content."""
    if size == 0:
        raise ModelError(f"{file} is damaged: it is empty; download it again")
    with file.open("rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise ModelError(f"{file} is a pointer of Git LFS without its content: run `git lfs pull` in {file.parent}")


def _check_config(folder: Path, answers: bool) -> bool:
    """Whether the configuration declares quantised weights. Raises ModelError."""
    if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
        raise ModelError(f"{folder} is an adapter: name it under `adapter`, and its base model under `checkpoint`")
    config = _json(folder / "config.json")
    family = config.get("model_type")
    if not isinstance(family, str):
        raise ModelError(f"{folder / 'config.json'} names no model_type")
    quantised = quantised_by(folder) is not None
    if not answers:
        return quantised
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    if family not in KNOWN:
        raise ModelError(
            f"{folder} is a {family!r} model, which does not read images and answer in text; expected an "
            "image-text-to-text checkpoint, such as mllama, idefics3, llava, qwen3_vl or gemma3"
        )
    return quantised


def _json(file: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelError where there is none."""
    if not file.is_file():
        raise ModelError(f"{file.parent} has no {file.name}: expected the folder of a transformers checkpoint")
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} is damaged: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file} is damaged: expected an object")
    return found


def _check_ends(file: Path) -> None:
    """Raise ModelError where the end-of-answer tokens are not whole numbers."""
    ends = _json(file).get("eos_token_id") if file.is_file() else None
    for end in ends if isinstance(ends, list) else [] if ends is None else [ends]:
        if not isinstance(end, int) or isinstance(end, bool):
            raise ModelError(f"{file} is damaged: eos_token_id holds {end!r}; expected whole numbers")


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that hold the weights. Raises ModelError where one that the index names is missing."""
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


def declared_tensors(file: Path) -> tuple[int, dict[str, Any]]:
    """The length in bytes of a safetensors file's head, and the tensors that it declares, by name; no weight is read.
    Raises ValueError, RecursionError or AttributeError for any other file."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        head = opened.read(length) if 0 < length <= min(file.stat().st_size, MOST_HEAD_BYTES) else b""
    return length, {name: tensor for name, tensor in json.loads(head).items() if name != "__metadata__"}


def _check_weights(file: Path, quantised: bool) -> None:
    """Raise ModelError for a safetensors file that is shorter or longer than its head says, or holds quantised weights
    that the configuration does not declare: their whole numbers would be taken for weights."""
    size = file.stat().st_size
    try:
        length, tensors = declared_tensors(file)
        end = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        packed = [name for name, one in tensors.items() if name.endswith("weight") and one["dtype"][:2] in QUANTISED]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(f"{file} is damaged, or not a safetensors file: download it again") from None
    if end != size:
        raise ModelError(f"{file} is damaged: {size} bytes, expected {end}: download it again")
    if packed and not quantised:
        raise ModelError(
            f"{file} holds weights in {tensors[packed[0]]['dtype']} ({packed[0]}), and config.json has no "
            "quantization_config that says what they mean: use the checkpoint in 16 or 32 bits, or with its own config"
        )
