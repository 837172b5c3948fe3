"""What known families of vision-language models make of a slice, and a checkpoint's own files where they are here."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gliobench.models.checkpoints.files import checkpoint_fault, declared_tensors
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.kinds.vision import UNTRAINED_VISION
from gliobench.study.kinds.vlm import UNTRAINED_CHECKPOINT
from gliobench.study.parts.base import is_folder_name
from gliobench.study.plan.estimates import Files, gib
from gliobench.study.state.context import Context

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1}
CACHE_A_BILLION = 16 * 1024  # bytes of cache a token and a billion parameters, 16 bits: Llama 3's 8 B take 128 KiB


@dataclass(frozen=True)
class Family:
    """How many tokens a slice of (rows, columns) becomes. `beside`: they stand beside the text, for cross-attention,
    and not among it. `letters`: letters of English a token."""

    name: str
    pattern: str
    image_tokens: Callable[[int, int], int]
    beside: bool = False
    letters: float = 4.0


def _patches(size: int, least: int) -> Callable[[int, int], int]:
    """One token a square of `size` pixels; a slice of fewer than `least` pixels is enlarged first."""

    def tokens(rows: int, columns: int) -> int:
        larger = max(1.0, math.sqrt(least / (rows * columns)))
        return max(1, round(rows * larger / size)) * max(1, round(columns * larger / size))

    return tokens


FAMILIES = (
    Family("tiny-mllama", f"^{UNTRAINED_CHECKPOINT}$", lambda r, c: 4 * (16 + 1), beside=True, letters=1.0),
    # Four tiles of 560 pixels, three of them empty but computed, (560 / 14)² patches and a class token each.
    Family("mllama", r"llama-3\.2-\d+b-vision|mllama", lambda r, c: 4 * 1601, beside=True),
    Family("qwen2-vl", r"qwen2(\.5)?[-_]vl", _patches(28, 56 * 56)),
    Family("qwen3-vl", r"qwen3[-_.\d]*vl", _patches(32, 256 * 256)),
    Family("gemma3", r"gemma-?3|medgemma", lambda r, c: 256),
    Family("paligemma", r"paligemma", lambda r, c: 256),
    Family("smolvlm", r"smolvlm", lambda r, c: 17 * 64),  # 4 x 4 tiles and the whole, 64 tokens each
    Family("idefics3", r"idefics3", lambda r, c: 17 * 169),
    Family("llava", r"llava", lambda r, c: 576),
    Family("pixtral", r"pixtral|mistral-small", _patches(16, 1)),
    Family("internvl", r"internvl", lambda r, c: 256),
    Family("gpt", r"^gpt-|^o\d", lambda r, c: 85 + 170),  # OpenAI's rule for one tile of 512
)
UNKNOWN = Family("unknown", "", lambda r, c: 576)


def family_of(checkpoint: str) -> Family:
    """The family that a checkpoint's name tells, else one of LLaVA's size."""
    return next((one for one in FAMILIES if re.search(one.pattern, checkpoint.lower())), UNKNOWN)


def named_parameters(checkpoint: str) -> float | None:
    """11e9 of `Llama-3.2-11B-Vision-Instruct`; None where the name says nothing."""
    if checkpoint == UNTRAINED_CHECKPOINT:
        return 1e6
    found = re.findall(r"(?<![\d.])(\d+(?:\.\d+)?)([bBmM])(?![a-zA-Z])", checkpoint)
    return float(found[0][0]) * (1e9 if found[0][1] in "bB" else 1e6) if found else None


@dataclass(frozen=True)
class Weights:
    """A checkpoint's size: parameters, bytes of each as stored, of cache a token; `counted`: its files said so."""

    parameters: float
    stored_bytes: float
    cache_bytes: float
    counted: bool


def weights_of(checkpoint: str, folder: Path | None) -> Weights | None:
    """From the files where they are here and can be read, else from the name; None where neither says anything."""
    if folder is not None and (counted := _counted(folder)):
        return counted
    parameters = named_parameters(checkpoint)
    if parameters is None:
        return None
    return Weights(parameters, 2.0, CACHE_A_BILLION * parameters / 1e9, False)


def _counted(folder: Path) -> Weights | None:
    """From the files of a checkpoint; None where there are none, or they are damaged."""
    try:
        tensors = [
            tensor for file in sorted(folder.glob("*.safetensors")) for tensor in declared_tensors(file)[1].values()
        ]
        parameters = sum(math.prod(tensor["shape"]) for tensor in tensors)
        stored = sum(math.prod(tensor["shape"]) * BYTES.get(tensor["dtype"], 2) for tensor in tensors)
        cache = _cache_bytes(folder) or CACHE_A_BILLION * parameters / 1e9
        return Weights(parameters, stored / parameters, cache, True)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None


def _cache_bytes(folder: Path) -> float | None:
    """Keys and values of a token over all layers at 16 bits, by the checkpoint's configuration."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config.get("text_config", config)
        heads = text["num_attention_heads"]
        width = text.get("head_dim") or text["hidden_size"] // heads
        return float(2 * 2 * text["num_hidden_layers"] * text.get("num_key_value_heads", heads) * width)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def checkpoint_here(context: Context, checkpoint: str, revision: str | None) -> Path | None:
    """Where a checkpoint's files lie here: its own folder, what an earlier run made, or the hub's cache."""
    if is_made_here(checkpoint):
        made = context.folder.root / "checkpoints" / checkpoint
        return made if made.is_dir() else None
    own = Path(checkpoint).expanduser()
    if own.is_dir():
        return own
    if not is_hub_id(checkpoint):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(checkpoint, "config.json", revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def checkpoint_room(context: Context, part: ModelConfig, stored_bytes: float) -> Iterator[Files]:
    """What a checkpoint that is not here will take on disk."""
    assert part.checkpoint_source is not None
    checkpoint, revision = part.checkpoint_source
    if not is_made_here(checkpoint) and checkpoint_here(context, checkpoint, revision) is None:
        yield Files(f"checkpoint {checkpoint}", "where checkpoints are kept", gib(stored_bytes))


def is_made_here(checkpoint: str) -> bool:
    """Whether a checkpoint is one of the tiny untrained ones."""
    return checkpoint in (UNTRAINED_CHECKPOINT, *UNTRAINED_VISION)


def is_hub_id(checkpoint: str) -> bool:
    """Whether a name can be one on the hub, rather than a folder."""
    return not is_folder_name(checkpoint)


def prompt_tokens(folder: Path, text: str, shape: tuple[int, int]) -> tuple[int, int] | None:
    """(text tokens, image tokens among them) of one question, by the checkpoint's own processor; None where it has none
    that loads here."""
    if checkpoint_fault(folder, "language"):
        return None  # said under what is missing
    import numpy as np
    from PIL import Image
    from transformers import AutoProcessor
    from transformers.utils import logging

    logging.set_verbosity_error()
    image = Image.fromarray(np.zeros((*shape, 3), dtype=np.uint8))
    turn = {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": text}]}
    try:
        processor = AutoProcessor.from_pretrained(str(folder), backend="pil", local_files_only=True)
        inputs = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=True, return_dict=True)
    except (OSError, ValueError, ImportError, AttributeError, TypeError, KeyError):
        return None
    ids = np.asarray(inputs["input_ids"]).ravel()
    images = int(np.count_nonzero(ids == getattr(processor, "image_token_id", -1)))
    return len(ids) - images, images
