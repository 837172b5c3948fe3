"""Features of a patient's slices by a frozen vision encoder (CLIP, SigLIP, DINOv2, DINOv3)."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModel, CLIPVisionModel, SiglipVisionModel

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice, select_slices
from gliobench.integrity import DamagedError, read_sealed, write_sealed
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Settings
from gliobench.models.checkpoints.load import quiet
from gliobench.models.checkpoints.vision import load_vision

log = logging.getLogger(__name__)

FAMILIES: dict[str, Callable[..., Any]] = {
    "clip": CLIPVisionModel.from_pretrained,
    "clip_vision_model": CLIPVisionModel.from_pretrained,
    "siglip": SiglipVisionModel.from_pretrained,
    "siglip_vision_model": SiglipVisionModel.from_pretrained,
    "dinov2": AutoModel.from_pretrained,
    "dinov2_with_registers": AutoModel.from_pretrained,
    "dinov3_vit": AutoModel.from_pretrained,
}
WHAT = "a model with a vision tower that gives features"
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """Which slices an encoder sees, and how: `channels` are the modalities in red, green and blue.

    `select`: every `every`-th slice with brain, or (`oracle`, it uses the truth) with tumour.
    """

    plane: Plane = "axial"
    select: Literal["brain", "oracle"] = "brain"
    every: int = 4
    channels: tuple[str, ...] = GLIOMA.shown_in("rgb", 3)


class VisionEncoder:
    """A frozen encoder: slices in, the pooled output of its vision tower out.

    `checkpoint`: a folder or a hub id. `batch_size`: slices at once. `cache`: a folder for features that are reused, by
    the content of patient, checkpoint and look. Raises ModelError for a checkpoint that cannot be used.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        look: Look,
        *,
        batch_size: int = 16,
        revision: str | None = None,
        device: str = "auto",
        cache: Path | None = None,
    ) -> None:
        self.look = look
        self._batch_size = batch_size
        self._checkpoint = load_vision(checkpoint, FAMILIES, WHAT, revision=revision, device=device)
        if getattr(self._checkpoint.model.config, "vision_use_head", True) is False:
            raise ModelError(f"{checkpoint}: its vision tower has no pooled output; use a checkpoint with a head")
        self._side = shown_side(self._checkpoint.id, self._checkpoint.image_processor)
        self.settings: Settings = {
            **self._checkpoint.settings,
            "image_size": self._side,
            "plane": look.plane,
            "select": look.select,
            "every": look.every,
            "channels": " ".join(look.channels),
        }
        key = hashlib.sha256(json.dumps(dict(self.settings), sort_keys=True).encode()).hexdigest()
        self._cache = cache / key if cache else None

    def features(self, subject: PreparedSubject) -> Rows:
        """The features of the patient's slices, (slices, features) float32; no rows where no slice can be selected."""
        if self._cache is None:
            return self._features(subject)
        path = self._cache / f"{subject.content}.npy"
        try:
            known: Rows = np.load(BytesIO(read_sealed(path)), allow_pickle=False)
            return known
        except FileNotFoundError:
            pass
        except DamagedError as error:
            log.warning("%s; made again", error)
        rows, data = self._features(subject), BytesIO()
        np.save(data, rows)
        write_sealed(path, data.getvalue())
        return rows

    def _features(self, subject: PreparedSubject) -> Rows:
        look = self.look
        if look.select == "oracle" and subject.labels is None:
            return np.empty((0, 0), np.float32)
        indices = select_slices(subject, look.plane, look.select, every=look.every)
        images = [self._image(subject, index) for index in indices]
        size = self._batch_size
        batches = [self._embed(images[start : start + size]) for start in range(0, len(images), size)]
        return np.concatenate(batches) if batches else np.empty((0, 0), np.float32)

    def _embed(self, images: Sequence[Image.Image]) -> Rows:
        """The whole image, resized to the tower's input size without cropping."""
        size = {"height": self._side, "width": self._side}
        model = self._checkpoint.model
        with quiet(), torch.inference_mode():
            inputs = self._checkpoint.image_processor(
                list(images), size=size, do_center_crop=False, return_tensors="pt"
            )
            pooled = model(pixel_values=inputs["pixel_values"].to(model.device)).pooler_output
        rows: Rows = pooled.cpu().numpy()
        return rows

    def _image(self, subject: PreparedSubject, index: int) -> Image.Image:
        """A slice in colour, centred in a black square."""
        colours = np.stack([grey_slice(subject, name, self.look.plane, index) for name in self.look.channels], axis=-1)
        rows, columns = colours.shape[:2]
        side = max(rows, columns)
        square = np.zeros((side, side, 3), np.uint8)
        top, left = (side - rows) // 2, (side - columns) // 2
        square[top : top + rows, left : left + columns] = colours
        return Image.fromarray(square)


def shown_side(id: str, processor: Any) -> int:
    """The side in pixels of a tower's input: its image processor's last size. Raises ModelError without one."""
    cropped = getattr(processor, "do_center_crop", None) and processor.crop_size
    side = (processor.crop_size if cropped else processor.size).height
    if side is None:
        raise ModelError(f"{id}: its image processor has no size in pixels; found {dict(processor.size)}")
    return int(side)
