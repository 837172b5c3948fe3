"""Entries of a study file for nnU-Net."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from gliobench.grid.regions import REGION_SETS
from gliobench.models.base.of_regions import inner_region, told_apart
from gliobench.ranges import Count
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.base import PATIENTS_MASK, ModelConfig, Scope
from gliobench.study.kinds.learning import Learning, Verb
from gliobench.study.parts.base import Outside
from gliobench.tasks.mask import MASK

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.plan.unet import UNet
    from gliobench.study.state.context import Context, Round

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
PATIENT_BYTES = 5 + 4 * 4 + 1  # a voxel: as written for nnU-Net, then its float32 modalities and labels; uncompressed
KEPT = 2 * 8  # a parameter: the final and the best checkpoint, weights and momentum each


class NnUNetConfig(ModelConfig):
    """nnU-Net v2 by its own planning, training and prediction; `planner`, `configuration` and `trainer` are its names.

    `python`: an interpreter that has nnU-Net, where ours has not.
    """

    trains = True
    own_camp: ClassVar[Camp] = "specialised"

    kind: Literal["nnunet"]
    regions: Literal["whole", "brats"] = "whole"
    planner: ClassName = "ExperimentPlanner"
    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    trainer: ClassName = "nnUNetTrainer"
    epochs: Count = 1000
    iterations: Count = 250
    python: Outside | None = None

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.nnunet.model import Installation, load_nnunet

        installation = Installation(self.python, context.workers)
        model = load_nnunet(context.folder.networks(self.name, round.folds), self.name, installation)
        return told_apart(model, self.problem, self.regional)

    @property
    def verb(self) -> Verb:
        return "train"

    def learning(self, context: "Context") -> list[Learning]:
        from gliobench.study.stages.nnunet import nnunet_learning

        return nnunet_learning(context, self)

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.stages.nnunet import train_nnunet

        train_nnunet(context, self, number, fold)

    @property
    def runs_elsewhere(self) -> str:
        return "a process of its own"

    @property
    def scope(self) -> Scope:
        return Scope(PATIENTS_MASK.tasks.union(self.regional), PATIENTS_MASK.per_slice)

    def tells_region_of(self, task: str) -> bool:
        return self.regions == "brats" and inner_region(self.problem, task) is not None

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """Its training on every fold in use, its answers, its disk, and the environment that it runs in."""
        from gliobench.models.nnunet.model import installation_fault
        from gliobench.models.nnunet.worker import validation_iterations
        from gliobench.study.plan.estimates import Estimate, Files, Missing, ModelPlan, Step, gib, hours
        from gliobench.study.plan.missing import gpu_missing
        from gliobench.study.plan.networks import LEARN
        from gliobench.study.plan.unet import map_bytes, operations_a_second, unet_size, windows

        net, folds = self._net(plan_inputs), plan_inputs.folds
        size = unet_size(net, len(self.problem.images), self._classes)
        learners = [plan_inputs.with_mask(fold.train) for fold in folds]
        deciders = [plan_inputs.with_mask(fold.validation) for fold in folds]
        seen = windows(plan_inputs.context.study.grid.shape, net.patch) * 2 ** len(net.patch)  # mirrored every way
        patient = seen * size.operations
        epoch = (LEARN * self.iterations + validation_iterations(self.iterations)) * net.batch * size.operations
        learning = len(folds) * self.epochs * epoch + sum(deciders) * patient
        answering = (
            len(plan_inputs.tested_on(MASK.name)) * (1 if len(plan_inputs.counts.rounds) > 1 else len(folds)) * patient
        )
        here, there = operations_a_second(plan_inputs.here), operations_a_second(plan_inputs.there)
        train = Step(
            "train",
            self.name,
            Estimate(max(learners, default=0), plan_inputs.counts.basis),
            gpu_memory_gib=gib(map_bytes(net) * size.maps * net.batch),
            hours_here=plan_inputs.trained(self.name, learning / here),
            hours_there=hours(learning / there),
        )
        counted = plan_inputs.counted(self, seconds=answering / here)
        predict = replace(
            counted.steps[0],
            gpu_memory_gib=gib(4 * size.parameters, map_bytes(net) / 2 * size.maps),  # nothing is kept to go backward
            hours_there=hours(answering / there),
        )
        fault = installation_fault(self.python)
        missing = (
            *([Missing(self.name, fault)] if fault else ()),
            *plan_inputs.untaught(self.name, folds, lambda one: one.mask),
            *gpu_missing(self.name, train.gpu_memory_gib, plan_inputs.here, "a smaller `planner`"),
        )
        written, where = sum((*learners, *deciders)), str(plan_inputs.context.folder.root / "networks")
        files = (
            Files(f"nnU-Net's patients of {self.name}", where, gib(PATIENT_BYTES * plan_inputs.voxels * written)),
            Files(f"weights and state of {self.name}", where, gib(len(folds) * KEPT * size.parameters)),
        )
        said = (
            f"{self.name}: {net.batch} patches of {' x '.join(map(str, net.patch))} a step, by nnU-Net's rule for "
            "ExperimentPlanner, equal spacing; its patients on disk are counted uncompressed, its planning and "
            "preprocessing not at all."
        )
        masks = counted.mask_bytes * len(REGION_SETS[self.regions])
        return ModelPlan((train, predict), files, missing, masks, (said,))

    def _net(self, plan_inputs: "PlanInputs") -> "UNet":
        from gliobench.study.plan.unet import expected_unet

        patients = (
            plan_inputs.with_mask((*plan_inputs.folds[0].train, *plan_inputs.folds[0].validation))
            if plan_inputs.folds
            else 0
        )
        shape = plan_inputs.context.study.grid.shape
        seen = shape[1:] if self.configuration == "2d" else shape
        return expected_unet(seen, patients, len(self.problem.images), self._classes, self.planner)

    @property
    def _classes(self) -> int:
        """One tumour against the background, or a region each."""
        return max(2, len(REGION_SETS[self.regions]))
