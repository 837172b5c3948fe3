"""Promptable segmenters (SAM, SAM 2, MedSAM's weights): a slice with a point or box in, a mask out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate
from transformers import Sam2Model, Sam2Processor, SamModel, SamProcessor

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.slices import grey_slice
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.checkpoints.batches import BatchSize, in_batches
from gliobench.models.checkpoints.load import quiet
from gliobench.models.checkpoints.vision import VisionCheckpoint, load_vision
from gliobench.models.views.asking import asked_frame, check_task
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import Box, Mask, Point
from gliobench.tasks.mask import MASK

FAMILIES: dict[str, Callable[..., Any]] = {
    "sam": SamModel.from_pretrained,
    "sam2": Sam2Model.from_pretrained,
    "sam2_video": Sam2Model.from_pretrained,  # the model_type of the published checkpoints of SAM 2
}
WHAT = "a promptable segmenter"
Place = Box | Point


@dataclass(frozen=True)
class Prompts:
    """The segmenter's prompts. `of(question)`: an Answered box or point to prompt with; anything else becomes the
    segmenter's own answer, such as an empty mask or a failure. `settings`: what determines the prompts."""

    kind: Literal["box", "point"]
    of: Callable[[Question], Answer]
    settings: Settings


class PromptableSegmenter:
    """SAM or SAM 2 of transformers: one modality of a slice, repeated in red, green and blue, with one point or box.

    `checkpoint`: a folder or a hub id. A box gives the single mask for unambiguous prompts; a point is ambiguous, and
    gives the one of three masks with the best predicted IoU, as SAM's authors advise (Kirillov et al. 2023).
    `batch_size`: slices at once, fewer where memory runs out; it does not change the masks. Raises ModelError for a
    checkpoint that cannot be used and for any bad argument.
    """

    tasks = frozenset({MASK.name})
    per_slice = True

    def __init__(
        self,
        checkpoint: str | Path,
        prompts: Prompts,
        *,
        name: str,
        modality: str = GLIOMA.brightest,
        batch_size: int = 4,
        revision: str | None = None,
        device: str = "auto",
    ) -> None:
        if batch_size < 1:
            raise ModelError(f"batch_size must be 1 or more, got {batch_size}")
        self.name = name
        self._prompts, self._modality, self._batch_size = prompts, modality, batch_size
        self._checkpoint = load_vision(checkpoint, FAMILIES, WHAT, revision=revision, device=device)
        self._processor = _processor(self._checkpoint)
        self.settings: Settings = {
            **self._checkpoint.settings,
            "image_size": self._processor.target_size,
            "modality": modality,
            "prompt": prompts.kind,
            "masks": "best of three by predicted IoU" if prompts.kind == "point" else "one",
            **prompts.settings,
        }

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Yield one prediction per question, in the order asked; images are rendered batch by batch.

        Raises ModelError before anything is asked for another task than `mask`, or a question about a whole volume.
        """
        for question in questions:
            check_task(self.name, self.tasks, question)
            asked_frame(question)
        return in_batches(questions, self._predict_batch, BatchSize(self._batch_size))

    def _predict_batch(self, batch: Sequence[Question]) -> list[Prediction]:
        start = perf_counter()
        answers = [self._prompts.of(question) for question in batch]
        places = {
            number: answer.value
            for number, answer in enumerate(answers)
            if isinstance(answer, Answered) and isinstance(answer.value, Box | Point)
        }
        images = [self._image(batch[number]) for number in places]
        for number, pixels in zip(places, self._segment(images, list(places.values())), strict=True):
            answers[number] = Answered(Mask(asked_frame(batch[number]), pixels))
        seconds = (perf_counter() - start) / len(batch)
        return [Prediction(question, answer, seconds=seconds) for question, answer in zip(batch, answers, strict=True)]

    def _image(self, question: Question) -> Image.Image:
        frame = asked_frame(question)
        grey = grey_slice(question.subject, self._modality, frame.plane, frame.index)
        return Image.fromarray(grey).convert("RGB")

    def _segment(self, images: Sequence[Image.Image], places: Sequence[Place]) -> list[NDArray[np.bool_]]:
        """One mask per image, (rows, columns) bool, in the image's own pixels."""
        if not images:
            return []
        sizes = [(image.height, image.width) for image in images]
        with quiet(), torch.inference_mode():
            inputs = self._inputs(images, sizes, processor_prompts(places))
            reshaped = inputs.pop("reshaped_input_sizes", None)
            output = self._checkpoint.model(**inputs, multimask_output=self._prompts.kind == "point")
            best = output.iou_scores[:, 0].argmax(dim=-1)
            logits = output.pred_masks[torch.arange(len(images)), 0, best][:, None, None].cpu()
            if reshaped is not None:
                masks = self._processor.post_process_masks(logits, sizes, reshaped)
            else:  # what Sam2ImageProcessor.post_process_masks does, which needs torchvision
                pairs = zip(logits, sizes, strict=True)
                masks = [interpolate(one, size, mode="bilinear", align_corners=False) > 0 for one, size in pairs]
        return [mask[0, 0].numpy() for mask in masks]

    def _inputs(
        self, images: Sequence[Image.Image], sizes: Sequence[tuple[int, int]], prompts: dict[str, Any]
    ) -> dict[str, torch.Tensor]:
        """The model's tensors; for SAM also how large each image is within its padded square."""
        if self._checkpoint.family == "sam":
            found = dict(self._processor(list(images), return_tensors="pt", **prompts))
        else:
            found = dict(self._processor(original_sizes=[list(size) for size in sizes], **prompts))
            found |= self._processor.image_processor(list(images), return_tensors="pt")
        del found["original_sizes"]
        device = self._checkpoint.model.device
        return {
            name: tensor.to(device, torch.float32 if tensor.is_floating_point() else tensor.dtype)
            for name, tensor in found.items()
        }


def processor_prompts(places: Sequence[Place]) -> dict[str, Any]:
    """Boxes or points (all of one kind, one per image) as the processors of SAM and SAM 2 take them: (x, y).

    There the top left corner of an image is (0, 0) and a pixel is 1 wide, so that a box's edges, which are inside it,
    become the outer borders of their pixels, and the middle of pixel (0, 0) is (0.5, 0.5).
    """
    if isinstance(places[0], Point):
        points = [[[[place.column + 0.5, place.row + 0.5]]] for place in places if isinstance(place, Point)]
        return {"input_points": points, "input_labels": [[[1]] for _ in points]}
    boxes = [
        [[float(place.column_min), float(place.row_min), place.column_max + 1.0, place.row_max + 1.0]]
        for place in places
        if isinstance(place, Box)
    ]
    return {"input_boxes": boxes}


def _processor(checkpoint: VisionCheckpoint) -> Any:
    return (SamProcessor if checkpoint.family == "sam" else Sam2Processor)(checkpoint.image_processor)
