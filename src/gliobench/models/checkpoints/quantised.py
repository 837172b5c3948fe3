"""Weights in 4 or 8 bits, where the machine supports them."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from gliobench.models.base.errors import ModelError, first_line

Quantisation = Literal["4bit", "8bit"]
EXPERIMENTAL = ("quantisation", "weights in 4 or 8 bits, which need a GPU: never run on one")


def quantisation_fault() -> str | None:
    """Why 4- and 8-bit weights cannot be used here, None where they can."""
    import torch

    if find_spec("bitsandbytes") is None:
        return "bitsandbytes is not installed (pip install 'gliobench[quantised]')"
    if not torch.cuda.is_available():
        return "4- and 8-bit weights need a CUDA device, and torch finds none"
    try:
        import_module("bitsandbytes")
    except (ImportError, OSError, RuntimeError) as error:
        return f"bitsandbytes does not import: {error}"
    return None


def quantised_fault(folder: Path, method: str) -> str | None:
    """Why an already quantised checkpoint cannot be used here, None where it can. `method`: the quantiser."""
    if method == "bitsandbytes":
        return quantisation_fault()
    from transformers import AutoConfig
    from transformers.quantizers import AutoHfQuantizer

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        quantizer = AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
        quantizer.validate_environment(device_map=None)
    except Exception as error:  # each method checks its own packages and devices, with errors of its own
        return first_line(error)
    return None


def quantisation_config(quantisation: str) -> Any:
    """transformers' configuration: NF4 computed in bfloat16, or LLM.int8(). Raises ModelError."""
    if quantisation not in ("4bit", "8bit"):
        raise ModelError(f"quantisation must be 4bit or 8bit, got {quantisation!r}")
    if fault := quantisation_fault():
        raise ModelError(f"quantisation {quantisation} cannot be used here: {fault}")
    import torch
    from transformers import BitsAndBytesConfig

    if quantisation == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
