"""Whether a checkpoint loads: everything but the values of its weights, by the same calls as for inference."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from transformers import AutoModelForImageTextToText

from gliobench.models.base.errors import ModelError, first_line
from gliobench.models.checkpoints.files import Use, quantised_by
from gliobench.models.checkpoints.load import checked_config, load_processor, quiet
from gliobench.models.checkpoints.source import load_weights, read_config
from gliobench.models.checkpoints.vision import checked_family, load_image_processor

SIDE_PX = 64
OPTIONS: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}


def try_checkpoint(folder: Path, use: Use) -> None:
    """Load configuration and processor, process a black image, and build the model without reading its weights.

    Models with quantised weights are not built: that takes their own package and a GPU, which are checked elsewhere.
    Raises ModelError naming the damaged file, or the few that may be.
    """
    with quiet():
        load = _try_language(folder) if use == "language" else _try_vision(folder, use)
        if quantised_by(folder) is None:
            with _blamed(f"config.json and the weights (*.safetensors) of {folder}"):
                load_weights(str(folder), load, "auto", {**OPTIONS, "device_map": "meta"})


def _try_language(folder: Path) -> Any:
    with _blamed(folder / "config.json"):
        config = checked_config(str(folder), OPTIONS)
    with _blamed(f"the tokenizer's or the image processor's files in {folder}"):
        processor = load_processor(str(folder), config.model_type, OPTIONS)
        processor.image_processor(images=_image())
    turn = {"role": "user", "content": [{"type": "image", "image": _image()}, {"type": "text", "text": "Grade?"}]}
    template = f"the chat template of {folder} ({_template_file(folder)})"
    with _blamed(template):
        told = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False)
        if "Grade?" not in told:
            raise ModelError(f"{template} leaves out the question: use the checkpoint's own")
    with _blamed(f"{template}, or its processor,"):
        told = processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=True, return_dict=True)
        _check_image_token(folder, config, told["input_ids"])
    return AutoModelForImageTextToText.from_pretrained


def _check_image_token(folder: Path, config: Any, ids: Any) -> None:
    """Raise ModelError where a tokenised question holds no image token."""
    sought = getattr(config, "image_token_id", None)
    if sought is not None and sought not in np.asarray(ids).ravel():
        raise ModelError(
            f"{folder}: config.json and the tokenizer's files or the chat template do not belong together: the image "
            f"token {sought} is not in a question about an image; use all files from the same checkpoint"
        )


def _try_vision(folder: Path, use: Use) -> Any:
    from gliobench.models.vision import features
    from gliobench.models.vision.segmenter import FAMILIES, WHAT

    families, what = (FAMILIES, WHAT) if use == "segmenter" else (features.FAMILIES, features.WHAT)
    with _blamed(folder / "config.json"):
        config = read_config(str(folder), OPTIONS)
    load = checked_family(str(folder), config, families, what)
    with _blamed(f"the image processor's file in {folder} (preprocessor_config.json or processor_config.json)"):
        image_processor = load_image_processor(str(folder), config.model_type, OPTIONS)
        image_processor(images=_image())
        if use == "encoder":
            features.shown_side(str(folder), image_processor)
    return load


def _image() -> Image.Image:
    return Image.fromarray(np.zeros((SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


def _template_file(folder: Path) -> str:
    """The file of the chat template that transformers uses."""
    own = ("chat_template.jinja", "chat_template.json")
    return next((name for name in own if (folder / name).is_file()), "processor_config.json or tokenizer_config.json")


@contextmanager
def _blamed(what: Path | str) -> Iterator[None]:
    """Turn whatever a library raises for a damaged file into a ModelError that names it: libraries raise anything, and
    none of it is a bug of this code."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{what} cannot be used: damaged, or of another version? Download it again "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
