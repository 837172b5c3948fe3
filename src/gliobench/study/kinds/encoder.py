"""Entries of a study file for frozen vision encoders."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from gliobench.grid.frame import Plane
from gliobench.models.checkpoint_files import Use
from gliobench.ranges import Batch, Whole
from gliobench.study.part import ModalityName

if TYPE_CHECKING:
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground
from gliobench.study.kinds.vision import VisionModel


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

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.select != "oracle":
            return {}
        return {"slices": f"slices: {self.name} sees only slices that hold {study.tumour_word}, found by the truth"}

    def build(self, context: "Context", round: "Round", plane: Plane) -> "Model":
        from gliobench.models.encoder.features import Look, VisionEncoder
        from gliobench.models.encoder.probe import fit_probe
        from gliobench.study.build import checkpoint_folder
        from gliobench.study.shown import learners

        encoder = VisionEncoder(
            checkpoint_folder(context, self.checkpoint),
            Look(self.plane, self.select, self.every, self.channels),
            batch_size=self.batch_size,
            revision=self.revision,
            cache=context.folder.features,
        )
        train, validation = learners(context.subjects, round)
        return fit_probe(self.name, self.pool, train, validation, encoder.features, encoder.settings)

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.models.calibration import CALIBRATION_VERSION

        return {"calibration": CALIBRATION_VERSION}

    @property
    def leaves_validation_out(self) -> bool:
        return True

    @property
    def checkpoint_use(self) -> Use:
        return "encoder"

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.encoder import plan_encoder

        return plan_encoder(ground, self)

    def notes(self) -> Iterator[str]:
        what = "slices that hold tumour" if self.select == "oracle" else "slices with brain"
        yield (
            f"{self.name}: {self.checkpoint}, frozen, and a logistic regression; 1 in {self.every} {self.plane} "
            f"{what}, {', '.join(self.channels)} as red, green, blue; pool: {self.pool}"
        )
