"""Entries of a study file for frozen vision encoders."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from gliobench.cohort.problem import GLIOMA, ImageName, Problem
from gliobench.grid.frame import Plane
from gliobench.models.checkpoints.files import Use
from gliobench.ranges import Batch, Seed, Whole
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.base import PATIENTS_GRADE, Scope, check_images
from gliobench.study.kinds.vision import VisionModelConfig
from gliobench.study.parts.neutral import InAnyWords
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round

FITS = 36  # of a regression in a round: seven penalties, five folds each, and the last on everybody
FIT_SECONDS = 3e-7  # a row and a number in it; docs/planning.md
IMAGE_SECONDS = 0.7e-3
LOOK = {"checkpoint", "revision", "plane", "select", "every", "channels"}  # what decides the features that are kept


class EncoderConfig(VisionModelConfig):
    """A frozen vision encoder with a linear probe; see `gliobench.models.vision.probe`.

    `pool`: the probe learns from each patient's mean features (`mean`), or from each slice (`slices`). `select`: every
    `every`-th slice of the plane that is not background (`brain`, or `foreground`), or with the target (`oracle`: it
    uses the truth). `channels`: the images shown in red, green and blue; three times the same is grey. `seed`: of the
    folds of training patients by which the probe's penalty is chosen.
    """

    LATER: ClassVar = frozenset({"seed"})

    own_camp: ClassVar[Camp] = "specialised"

    kind: Literal["encoder"]
    pool: Literal["mean", "slices"] = "mean"
    plane: Plane = "axial"
    select: Annotated[Literal["brain", "oracle"], InAnyWords] = "brain"
    every: Annotated[Whole, Field(ge=1, le=1024)] = 4
    channels: tuple[ImageName, ImageName, ImageName] = GLIOMA.shown_in("rgb", 3)  # type: ignore[assignment]
    batch_size: Batch = 16
    seed: Seed = 0

    def about(self, problem: Problem) -> Self:
        entry = super().about(problem)
        if "channels" not in self.model_fields_set:
            shown = problem.shown_in("rgb", 3)
            entry = entry.model_copy(update={"channels": shown if len(shown) == 3 else (shown[0],) * 3})
        check_images(self.name, "channels", entry.channels, problem)
        return entry

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.select != "oracle":
            return {}
        return {"slices": f"slices: {self.name} sees only slices that hold {study.tumour_word}, found by the truth"}

    def build(self, context: "Context", round: "Round", plane: Plane) -> "Model":
        from gliobench.models.vision.features import Look, VisionEncoder
        from gliobench.models.vision.probe import fit_probe
        from gliobench.study.asking.build import checkpoint_folder
        from gliobench.study.asking.region_of_interest import learners

        encoder = VisionEncoder(
            checkpoint_folder(context, self.checkpoint),
            Look(self.plane, self.select, self.every, self.channels),
            batch_size=self.batch_size,
            revision=self.revision,
            cache=context.folder.features,
        )
        train, validation = learners(context.subjects, round)
        return fit_probe(self.name, self.pool, train, validation, encoder.features, encoder.settings, self.seed)

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.models.base.calibration import CALIBRATION_VERSION

        return {"calibration": CALIBRATION_VERSION}

    def asked_on_validation(self, task: str) -> bool:
        return True

    @property
    def leaves_validation_out(self) -> bool:
        return True

    def seeded(self, number: int) -> Self:
        return self.model_copy(update={"seed": self.seed + number})

    @property
    def checkpoint_use(self) -> Use:
        return "encoder"

    @property
    def scope(self) -> Scope:
        return PATIENTS_GRADE

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """Every slice that it sees is encoded once, whoever learns from it in whatever round."""
        from gliobench.study.plan.estimates import Estimate, Files, gib
        from gliobench.study.plan.vision import BYTES, vision_plan, vision_size

        slices, first = self._slices(plan_inputs), self._encoded_by(plan_inputs)
        images = Estimate(
            0 if first else sum(slices.values()), "counted" if plan_inputs.counts.prepared else "estimate"
        )
        size = vision_size(plan_inputs, self, self.batch_size, None)
        width = size.width if size else 0
        learning = FITS * FIT_SECONDS * self._rows(plan_inputs, slices) * width
        plan = vision_plan(plan_inputs, self, images, size, images.value * IMAGE_SECONDS + learning)
        where, room = str(plan_inputs.context.folder.features), gib(BYTES * images.value * width)
        kept = () if first or not size else (Files(f"features of {self.name}", where, room),)
        said = f"each slice of {len(slices)} training, validation and test patients is encoded once for all folds."
        return replace(
            plan,
            files=(*kept, *plan.files),
            missing=(*plan.missing, *plan_inputs.ungraded(self.name, each=2)),
            said=(f"{self.name}: {f'sees what {first} has encoded already.' if first else said}",),
        )

    def _slices(self, plan_inputs: "PlanInputs") -> dict[str, float]:
        """How many slices it sees of all training, validation and test patients with a grade, in any round."""
        from gliobench.grid.slices import select_slices
        from gliobench.study.plan.counts import assumed_slices

        counts, study = plan_inputs.counts, plan_inputs.context.study
        learners = {id for round in counts.rounds for id in (*round.learn, *round.validation)}
        ids = {id for id in learners if counts.patients[id].grade is not None} | set(plan_inputs.tested_on(GRADE.name))
        if not counts.prepared:
            preset = "all brain" if self.select == "brain" else study.grid.preset
            return dict.fromkeys(ids, assumed_slices(study, preset, self.plane, self.every, trim=0))
        subjects = [plan_inputs.context.subjects[id] for id in ids]
        return {
            one.id: 0.0
            if self.select == "oracle" and one.labels is None
            else float(len(select_slices(one, self.plane, self.select, every=self.every)))
            for one in subjects
        }

    def _encoded_by(self, plan_inputs: "PlanInputs") -> str | None:
        """The first encoder of the study that sees the same slices with the same checkpoint, if it is another one."""
        seen = self.model_dump(include=LOOK)
        alike = (one for one in plan_inputs.context.study.models if one.kind == self.kind)
        first = next(one.name for one in alike if one.model_dump(include=LOOK) == seen)
        return None if first == self.name else first

    def _rows(self, plan_inputs: "PlanInputs", slices: Mapping[str, float]) -> float:
        """What the probe learns from in all rounds: slices, or patients."""
        learners = [id for round in plan_inputs.counts.rounds for id in round.learn if id in slices]
        return sum(slices[id] for id in learners) if self.pool == "slices" else len(learners)

    def notes(self) -> Iterator[str]:
        what = (
            f"slices that hold {self.problem.finding_words}"
            if self.select == "oracle"
            else f"slices with {self.problem.foreground}"
        )
        yield (
            f"{self.name}: {self.checkpoint}, frozen, and a logistic regression; 1 in {self.every} {self.plane} "
            f"{what}, {', '.join(self.channels)} as red, green, blue; pool: {self.pool}"
        )
