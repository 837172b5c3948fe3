"""Load a vision model without language (a promptable segmenter, a vision encoder) with transformers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from gliobench.models.base.errors import ModelError, first_line
from gliobench.models.checkpoints.load import quiet
from gliobench.models.checkpoints.source import device_name, folder_digest, load_weights, read_config, source_folder

# Their own image processors need torchvision. They resize to a square and normalise, as ViT's does, with the
# checkpoint's own size, mean and standard deviation.
WITHOUT_PIL = frozenset({"sam2", "sam2_video", "dinov3_vit"})


@dataclass(frozen=True)
class VisionCheckpoint:
    """A loaded float32 model and its image processor.

    `id`: folder name or hub id. `revision`: the hub's commit, None for a folder. `content`: SHA-256 over the folder's
    files, None for the hub. `family`: the configuration's `model_type`.
    """

    id: str
    revision: str | None
    content: str | None
    family: str
    model: Any
    image_processor: Any

    @property
    def settings(self) -> dict[str, str | int | float | bool | None]:
        """Everything of it that can change an answer."""
        return {
            "engine": "transformers",
            "checkpoint": self.id,
            "revision": self.revision,
            "content": self.content,
            "family": self.family,
            "image_processor": type(self.image_processor).__name__,
        }


def load_vision(
    source: str | Path, families: Mapping[str, Callable[..., Any]], what: str, *, revision: str | None, device: str
) -> VisionCheckpoint:
    """Load a checkpoint from safetensors, never running code that comes with it.

    `families`: by `model_type`, the class of transformers that loads it; `what` they are, in words. `source`,
    `revision` and `device`: as for `gliobench.models.checkpoints.load.load_checkpoint`.
    Raises ModelError: no such folder, hub unreachable, another family, weights incomplete or pickled.
    """
    folder = source_folder(source)
    if folder and revision:
        raise ModelError(f"{folder} is a folder and has no revisions: remove {revision!r}")
    where = str(folder or source)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    with quiet():
        config = read_config(where, options)
        load = checked_family(where, config, families, what)
        options["revision"] = getattr(config, "_commit_hash", None) or revision
        image_processor = load_image_processor(where, config.model_type, options)
        model = load_weights(where, load, torch.float32, options)
    try:
        model = model.to(device_name(device)).eval().requires_grad_(False)
    except RuntimeError as error:
        raise ModelError(f"{where} could not be moved to {device}: {first_line(error)}") from error
    return VisionCheckpoint(
        id=folder.name if folder else where,
        revision=None if folder else options["revision"],
        content=folder_digest(folder) if folder else None,
        family=config.model_type,
        model=model,
        image_processor=image_processor,
    )


def checked_family(
    where: str, config: Any, families: Mapping[str, Callable[..., Any]], what: str
) -> Callable[..., Any]:
    """The loader of a checkpoint's family. Raises ModelError for one that is not among `families`."""
    if config.model_type not in families:
        raise ModelError(f"{where} is a {config.model_type!r} model; expected {what}: {', '.join(families)}")
    return families[config.model_type]


def load_image_processor(where: str, family: str, options: dict[str, Any]) -> Any:
    """The image processor of a checkpoint. Raises ModelError where it has none that loads here."""
    try:
        if family in WITHOUT_PIL:
            return ViTImageProcessorPil.from_pretrained(where, **options)
        return AutoImageProcessor.from_pretrained(where, backend="pil", **options)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"{where} has no image processor that can be loaded here: expected its preprocessor_config.json or "
            f"processor_config.json. ({first_line(error)})"
        ) from error
