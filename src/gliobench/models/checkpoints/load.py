"""Load an image-text-to-text checkpoint with transformers, from a folder or the Hub, or say why it cannot be used."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
)
from transformers.utils import logging

from gliobench.models.base.errors import ModelError, first_line
from gliobench.models.checkpoints.adapter import adapter_folder, adapter_identity, with_adapter
from gliobench.models.checkpoints.quantised import quantisation_config
from gliobench.models.checkpoints.source import device_name, folder_digest, load_weights, read_config, source_folder
from gliobench.models.checkpoints.unsloth import Engine, load_by_unsloth

EXPERIMENTAL = ("device_map", "weights spread over several devices: never run on several GPUs")
DTYPES = {"auto": "auto", "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# For families that publish no chat template: images, then texts line by line. PaliGemma's processor itself adds the
# begin token before the text, and the line break after a prompt, so none may precede an answer to be learned.
PLAIN_TEMPLATES = {
    "paligemma": """\
{%- for message in messages -%}
{%- for content in message['content'] if content['type'] == 'image' -%}{{ '<image>' }}{%- endfor -%}
{%- endfor -%}
{%- for message in messages -%}
{%- for content in message['content'] if content['type'] == 'text' -%}{{ content['text'] }}{%- endfor -%}
{%- if loop.revindex > (1 if add_generation_prompt else 2) -%}{{ '\\n' }}{%- endif -%}
{%- endfor -%}"""
}


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model and its processor, ready to generate.

    `id`: folder name or hub id. `revision`: the hub's commit, None for a folder. `content`: SHA-256 over the folder's
    files, hexadecimal, None for the hub (the commit identifies it). `adapter`: name and SHA-256 of the adapter on it,
    None where there is none. `end_ids`: the tokens that end an answer. `context`: the most tokens that fit, None where
    there is no limit.
    """

    id: str
    revision: str | None
    content: str | None
    adapter: str | None
    model: Any
    processor: Any
    end_ids: frozenset[int]
    context: int | None


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' warnings and progress bars; downloads keep theirs."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_checkpoint(
    source: str | Path,
    *,
    revision: str | None,
    dtype: str,
    device: str,
    spread: bool = False,
    quantisation: str | None = None,
    adapter: str | Path | None = None,
    engine: Engine = "transformers",
) -> Checkpoint:
    """Load a checkpoint from safetensors, never running code that comes with it.

    `source`: a folder, or a hub id such as "meta-llama/Llama-3.2-11B-Vision-Instruct". `revision`: hub only. `dtype`:
    "auto" (as stored), "float32", "bfloat16" or "float16". `device`: "auto" (the first GPU, else the CPU) or torch's
    name for one. `spread`: over all devices instead, placed by accelerate. `quantisation`: "4bit" or "8bit". `adapter`:
    a PEFT folder or a hub id, trained on `source`. `engine`: the library that loads the weights; "unsloth" only for
    fine-tuning, after `start_unsloth`. Raises ModelError: no such folder, hub unreachable, not image-text-to-text,
    weights incomplete or pickled, 4- or 8-bit weights cannot be used here, an adapter for another base.
    """
    if dtype not in DTYPES:
        raise ModelError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    folder = source_folder(source)
    if folder and revision:
        raise ModelError(f"{folder} is a folder and has no revisions: remove {revision!r}")
    where = str(folder or source)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    placed = _placement(device, spread, quantisation)
    added = adapter_folder(adapter) if adapter else None
    with quiet():
        config = checked_config(where, options)
        commit = getattr(config, "_commit_hash", None)
        options["revision"] = commit or revision  # configuration, processor and weights of the same commit
        processor = load_processor(where, config.model_type, options)
        load: Callable[..., Any] = AutoModelForImageTextToText.from_pretrained
        if engine == "unsloth":
            load = partial(load_by_unsloth, device=device_name(device))
        model = load_weights(where, load, DTYPES[dtype], {**options, **placed})
        name = folder.name if folder else where
        if added:
            model = with_adapter(model, added, name)
    try:
        model = (model if placed else model.to(device_name(device))).eval()
    except RuntimeError as error:
        raise ModelError(f"{where} could not be moved to {device}: {first_line(error)}") from error
    return Checkpoint(
        id=name,
        revision=None if folder else options["revision"],
        content=folder_digest(folder) if folder else None,
        adapter=adapter_identity(added) if added else None,
        model=model,
        processor=processor,
        end_ids=_fix_generation(model, processor.tokenizer),
        context=getattr(config.get_text_config(), "max_position_embeddings", None),
    )


def _placement(device: str, spread: bool, quantisation: str | None) -> dict[str, Any]:
    """Where the weights are loaded to; nothing where they are loaded first and moved afterwards."""
    if quantisation is None:
        return {"device_map": "auto"} if spread else {}
    config = quantisation_config(quantisation)
    return {"quantization_config": config, "device_map": "auto" if spread else {"": device_name(device)}}


def checked_config(where: str, options: dict[str, Any]) -> Any:
    """The configuration of an image-text-to-text checkpoint. Raises ModelError for any other."""
    config = read_config(where, options)
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ModelError(
            f"{where} is a {config.model_type!r} model, which does not read images and answer in text; "
            "expected an image-text-to-text checkpoint, such as mllama, idefics3, llava, qwen3_vl or gemma3"
        )
    return config


def load_processor(where: str, family: str, options: dict[str, Any]) -> Any:
    """Tokenizer, image processor and chat template of a checkpoint. Raises ModelError where one is not there, or cannot
    be loaded here."""
    try:
        processor = AutoProcessor.from_pretrained(where, **options)
        # The PIL backend everywhere: torchvision's resizes slightly differently, and answers would depend on it. Set
        # for the processor as a whole, it would reach a video processor too, which fails on it.
        processor.image_processor = AutoImageProcessor.from_pretrained(where, backend="pil", **options)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"{where} has no processor that can be loaded here, so it cannot take images: its tokenizer's "
            "files, preprocessor_config.json or processor_config.json are missing or damaged, or need torchvision. "
            f"({first_line(error)})"
        ) from error
    missing = [part for part in ("image_processor", "tokenizer") if getattr(processor, part, None) is None]
    if missing:
        raise ModelError(f"{where}: its processor has no {' and no '.join(missing)}; both are needed")
    if getattr(processor, "chat_template", None) is None:
        processor.chat_template = PLAIN_TEMPLATES.get(family)
    if processor.chat_template is None:
        raise ModelError(
            f"{where} has no chat template, so how to ask it about an image is not known: "
            "use the instruction-tuned version of the checkpoint, or add its chat_template.jinja"
        )
    return processor


def _fix_generation(model: Any, tokenizer: Any) -> frozenset[int]:
    """Pad on the left, and keep only the end tokens of the checkpoint's own decoding settings."""
    tokenizer.padding_side = "left"
    given = model.generation_config.eos_token_id
    ends = set(given) if isinstance(given, list) else {given}
    ends = {end for end in ends | {tokenizer.eos_token_id} if end is not None}
    if not ends:
        raise ModelError(f"{model.name_or_path} names no token that ends an answer (eos_token_id)")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(min(ends))
    model.generation_config = GenerationConfig(
        eos_token_id=sorted(ends), pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id
    )
    return frozenset(ends)
