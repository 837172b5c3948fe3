"""Entries of a study file for promptable segmenters."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from gliobench.cohort.problem import GLIOMA, ImageName, Problem
from gliobench.grid.frame import Plane
from gliobench.models.checkpoints.files import Use
from gliobench.ranges import Batch
from gliobench.study.kinds.base import Scope, check_images
from gliobench.study.kinds.vision import TRUTH, UNTRAINED_VISION, VisionModelConfig
from gliobench.tasks.base import Task
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.chain import coarser
from gliobench.tasks.mask import MASK
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import Estimate, ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round

IMAGE_SECONDS = 3e-3  # its prompt, and its mask into a record; docs/planning.md
RUN_BYTES = 1000  # of a mask in an answer's line, beside what every line takes


class SegmenterConfig(VisionModelConfig):
    """A promptable segmenter; see `gliobench.models.vision.segmenter.PromptableSegmenter`.

    `from`: whose places it is prompted with: `truth` (an oracle), or another model of the study, by its answers about
    the same slices.
    """

    kind: Literal["segmenter"]
    prompt: Literal["box", "point"] = "box"
    source: str = Field(alias="from")
    modality: ImageName = GLIOMA.brightest
    batch_size: Batch = 4

    def about(self, problem: Problem) -> Self:
        entry = super().about(problem)
        if "modality" not in self.model_fields_set:
            entry = entry.model_copy(update={"modality": problem.brightest})
        check_images(self.name, "modality", [entry.modality], problem)
        return entry

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
        from gliobench.models.vision.segmenter import PromptableSegmenter
        from gliobench.study.asking.build import checkpoint_folder
        from gliobench.study.asking.prompting import make_prompts

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
        from gliobench.study.asking.answers import known_digest

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

    @property
    def scope(self) -> Scope:
        return Scope(frozenset({MASK.name}), True)

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """Slices that are asked about, and those of them in which it is pointed somewhere."""
        from gliobench.study.plan.estimates import Estimate
        from gliobench.study.plan.vision import vision_plan, vision_size

        asked, pointed = plan_inputs.questions(self), self._pointed(plan_inputs)
        assert asked is not None
        images = pointed or Estimate(asked.value, "estimate")
        size = vision_size(plan_inputs, self, self.batch_size, self.prompt)
        whose = "the truth has" if self.source == TRUTH else f"{self.source} finds"
        nothing = f"{whose} no {self.problem.finding_words}"
        said = f"{self.name}: slices in which {nothing} are counted as encoded; they are not."
        plan = vision_plan(plan_inputs, self, images, size, images.value * IMAGE_SECONDS)
        return replace(plan, mask_bytes=RUN_BYTES * asked.value, said=() if pointed else (said,))

    def _pointed(self, plan_inputs: "PlanInputs") -> "Estimate | None":
        """In how many of the slices the truth, or the answers of an earlier run, give a place to prompt with; None
        where patients are not prepared, or the model that points has not answered."""
        from gliobench.study.asking.prompting import make_prompts
        from gliobench.study.asking.questions import slice_questions
        from gliobench.study.plan.estimates import Estimate
        from gliobench.study.state.context import StageError
        from gliobench.tasks.answer import Answered
        from gliobench.tasks.geometry import Mask

        context = plan_inputs.context
        known = self.source == TRUTH or context.folder.asked(self.source).exists()
        if plan_inputs.counts.slices_basis != "counted" or not known:
            return None
        try:
            prompts = make_prompts(context, self)
        except StageError:
            return None
        said = (
            prompts.of(question)
            for plane in context.study.slices.planes
            for question in slice_questions(context, plan_inputs.tested_on(MASK.name), [MASK.name], plane)
        )
        pointed = sum(isinstance(one, Answered) and not isinstance(one.value, Mask) for one in said)
        return Estimate(pointed, "counted" if self.source == TRUTH else "measured")

    def notes(self) -> Iterator[str]:
        place = "the truth" if self.source == TRUTH else f"the answers of {self.source}"
        how = f"{self.modality} slices one by one, prompted with a {self.prompt} from {place}"
        yield f"{self.name}: {self.checkpoint}, {how}"
