"""Entries of a study file for promptable segmenters."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from gliobench.grid.frame import Plane
from gliobench.models.checkpoint_files import Use
from gliobench.study.part import Batch, ModalityName
from gliobench.tasks.base import Task
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.chain import coarser
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground
from gliobench.study.kinds.vision import TRUTH, UNTRAINED_VISION, VisionModel


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
    def place(self) -> Task:
        """The task whose answers it is prompted with."""
        return CENTRE if self.prompt == "point" else BOX

    @property
    def usable_tasks(self) -> tuple[str, ...]:
        """The tasks whose answers give the place to prompt with, the nearest first."""
        return tuple(name for name in TASKS if self.place.name in coarser(name))

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
        return {
            "prompt": f"prompt: {self.name} is given the true {study.tumour_word}'s {self.place.name} in every slice"
        }

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
