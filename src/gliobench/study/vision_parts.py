"""Entries of a study file for models that see and do not speak: promptable segmenters and vision encoders."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gliobench.grid.frame import Plane
from gliobench.models.checkpoint_files import Use
from gliobench.study.kind import ModelPart
from gliobench.study.part import Batch, ModalityName, Revision, Source, Whole

if TYPE_CHECKING:
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground

TRUTH = "truth"
UNTRAINED_VISION = ("tiny-sam", "tiny-clip")  # random weights, made on the spot


class VisionModel(ModelPart):
    """A checkpoint: a folder, a hub id, or one of `UNTRAINED_VISION`."""

    OPERATION: ClassVar = frozenset({"batch_size"})

    checkpoint: Source
    revision: Revision | None = None

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint in UNTRAINED_VISION and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self

    @property
    def prompts_segmenters(self) -> bool:
        return False

    @property
    @abstractmethod
    def checkpoint_use(self) -> Use:
        """What its checkpoint has to do."""

    @property
    def checkpoint_source(self) -> tuple[str, str | None]:
        return self.checkpoint, self.revision


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

    def check(self, study: "Study") -> None:
        if self.source == TRUTH:
            return
        models = {model.name: model for model in study.models}
        if self.source not in models:
            raise ValueError(
                f"{self.name}: from: no model is named {self.source!r}; there are {', '.join(models)}, and {TRUTH}"
            )
        source = models[self.source]
        if not source.prompts_segmenters:
            raise ValueError(f"{self.name}: from: {source.name} is a {source.kind}, whose answers are no prompts")
        asked = set(study.tasks) & set(getattr(source, "tasks", study.tasks))
        if not asked & set(self.usable_tasks):
            raise ValueError(
                f"{self.name}: from: {source.name} is not asked for {' or '.join(self.usable_tasks)}, from which "
                f"a {self.prompt} follows; add one to `tasks`"
            )

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.source != TRUTH:
            return {}
        place = "centre" if self.prompt == "point" else "box"
        return {"prompt": f"prompt: {self.name} is given the true {study.tumour_word}'s {place} in every slice"}

    def build(self, context: "Context", round: "Round", plane: Plane) -> "Model":
        from gliobench.models.segmenter import PromptableSegmenter
        from gliobench.study.build import checkpoint_folder
        from gliobench.study.prompting import make_prompts

        return PromptableSegmenter(
            checkpoint_folder(context, self.checkpoint),
            make_prompts(context, self),
            name=self.name,
            modality=self.modality,
            batch_size=self.batch_size,
            revision=self.revision,
        )

    @property
    def built_each_round(self) -> bool:
        return False

    @property
    def needs(self) -> tuple[str, ...]:
        return () if self.source == TRUTH else (self.source,)

    @property
    def pointed_by(self) -> str:
        return self.source

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.study.answers import known_digest

        return {"prompted_by": known_digest(context, self.source)}

    @property
    def asked_by_slice(self) -> bool:
        return True

    @property
    def untrained(self) -> bool:
        return self.checkpoint in UNTRAINED_VISION

    @property
    def checkpoint_use(self) -> Use:
        return "segmenter"

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.segmenter import plan_segmenter

        return plan_segmenter(ground, self)

    def notes(self) -> Iterator[str]:
        place = "the truth" if self.source == TRUTH else f"the answers of {self.source}"
        how = f"{self.modality} slices one by one, prompted with a {self.prompt} from {place}"
        yield f"{self.name}: {self.checkpoint}, {how}"


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
