"""Entries of a study file for models that see and do not speak: promptable segmenters and vision encoders."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gliobench.grid.frame import Plane
from gliobench.study.part import Batch, ModalityName, Name, Part, Revision, Source, Whole

TRUTH = "truth"
UNTRAINED_VISION = ("tiny-sam", "tiny-clip")  # random weights, made on the spot


class VisionModel(Part):
    """A checkpoint: a folder, a hub id, or one of `UNTRAINED_VISION`."""

    name: Name
    checkpoint: Source
    revision: Revision | None = None

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint in UNTRAINED_VISION and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self


class SegmenterModel(VisionModel):
    """A promptable segmenter; see `gliobench.models.segmenter.PromptableSegmenter`.

    `from`: whose places it is prompted with: `truth` (an oracle), or another model of the study, by its answers about
    the same slices.
    """

    kind: Literal["segmenter"]
    prompt: Literal["box", "point"] = "box"
    source: str = Field(alias="from")
    modality: ModalityName = "flair"
    batch_size: Batch = 4

    @property
    def usable_tasks(self) -> tuple[str, ...]:
        """The tasks whose answers give the place to prompt with, the nearest first."""
        finer = ("box", "polygon", "mask")
        return ("centre", *finer) if self.prompt == "point" else finer


class EncoderModel(VisionModel):
    """A frozen vision encoder with a linear probe; see `gliobench.models.encoder`.

    `pool`: the probe learns from each patient's mean features (`mean`), or from each slice (`slices`). `select`: every
    `every`-th slice of the plane with brain, or with tumour (`oracle`: it uses the truth). `channels`: the modalities
    shown in red, green and blue; three times the same is grey.
    """

    kind: Literal["encoder"]
    pool: Literal["mean", "slices"] = "mean"
    plane: Plane = "axial"
    select: Literal["brain", "oracle"] = "brain"
    every: Annotated[Whole, Field(ge=1, le=1024)] = 4
    channels: tuple[ModalityName, ModalityName, ModalityName] = ("t1ce", "t2", "flair")
    batch_size: Batch = 16
