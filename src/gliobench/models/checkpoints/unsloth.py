"""Unsloth as another way to load a checkpoint for fine-tuning.

Once imported, it patches transformers, TRL and PEFT for the rest of the process: `start_unsloth` imports it before any
of them, and inference runs in processes without it.
"""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any, Literal

from packaging.requirements import Requirement

from gliobench.models.base.errors import ModelError

Engine = Literal["transformers", "unsloth"]
EXPERIMENTAL = ("engine: unsloth", "fine-tuning by Unsloth: never run on a GPU, on a CPU in part")
CHECKED = ("torch", "torchvision", "transformers", "trl", "peft", "datasets")


def unsloth_fault() -> str | None:
    """Why Unsloth cannot be used here, None where it can. Does not import it."""
    import torch

    try:
        version("unsloth")
        fault = _wrong_version()
    except PackageNotFoundError:
        return "it is not installed here (pip install 'gliobench[unsloth]', in an environment of its own)"
    if fault:
        return fault
    if not torch.cuda.is_available():
        return "it loads vision models onto a CUDA device only, and torch finds none"
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        return f"{torch.cuda.get_device_name()} has no bfloat16 arithmetic, which it is used with here"
    return None


def start_unsloth() -> None:
    """Import Unsloth. Raises ModelError where it cannot be used, or where transformers is already imported."""
    if "unsloth" in sys.modules:
        return
    if fault := unsloth_fault():
        raise ModelError(
            f"engine unsloth cannot be used here: {fault}; see docs/finetuning.md, or use engine transformers"
        )
    if "transformers" in sys.modules:
        raise ModelError(
            "engine unsloth must be imported before transformers, which this process has already imported: "
            "run `gliobench finetune` by itself"
        )
    # It has no other setting for this. The code that it generates would be written to the working folder.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", written := tempfile.mkdtemp(prefix="unsloth-"))
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    atexit.register(shutil.rmtree, written, ignore_errors=True)
    import unsloth  # noqa: F401


def load_by_unsloth(
    where: str,
    *,
    device: str,
    dtype: Any,
    output_loading_info: bool,
    ignore_mismatched_sizes: bool,
    quantization_config: Any = None,
    **options: Any,
) -> Any:
    """What transformers' `from_pretrained` gives with `output_loading_info`: a model, with Unsloth's code in it, and
    which weights were missing or of another shape.

    The model generates as transformers' own models do. `options`: the revision and what else says which files are read.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText
    from unsloth import FastVisionModel

    if dtype == "auto":
        config = AutoConfig.from_pretrained(where, revision=options["revision"], trust_remote_code=False)
        dtype = config.dtype or config.get_text_config().dtype
    if str(dtype) == "torch.float16":
        raise ModelError(f"{where} is in float16, and engine unsloth computes in bfloat16: set `dtype: bfloat16`")
    model, _ = FastVisionModel.from_pretrained(
        where,
        dtype=dtype,
        load_in_4bit=False,  # `quantization_config` says it
        use_exact_model_name=True,  # else weights that Unsloth has quantised are taken instead
        offload_embedding=False,
        device_map={"": device},
        **({} if quantization_config is None else {"quantization_config": quantization_config}),
        **options,
    )
    if quantization_config is not None and not getattr(model, "is_quantized", False):
        raise ModelError(f"{where}: Unsloth did not quantise the weights: bitsandbytes does not work with it here")
    # Unsloth 2026.10.9 silently leaves missing weights random, so they are looked for on the meta device. Not earlier:
    # transformers would then have cached its own classes, and the model would lack Unsloth's code.
    _, found = AutoModelForImageTextToText.from_pretrained(
        where,
        device_map={"": "meta"},
        output_loading_info=True,
        ignore_mismatched_sizes=ignore_mismatched_sizes,
        **options,
    )
    model.generate = model._old_generate
    return model, found


def _wrong_version() -> str | None:
    """The first package of another version than the installed Unsloth requires. Raises PackageNotFoundError."""
    wanted = [Requirement(text) for text in requires("unsloth") or ()]
    for one in wanted:
        if one.name in CHECKED and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found = _version(one.name)
            if found is None or not one.specifier.contains(found, prereleases=True):
                return f"unsloth {version('unsloth')} needs {one.name} {one.specifier}, found {found or 'none'}"
    return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
