"""Entries of a study file for nnU-Net."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from gliobench.ranges import Count
from gliobench.study.kinds.base import Learning, ModelPart, Verb
from gliobench.study.part import Outside

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class NnUNetModel(ModelPart):
    """nnU-Net v2 by its own planning, training and prediction; `planner`, `configuration` and `trainer` are its names.

    `python`: an interpreter that has nnU-Net, where ours has not.
    """

    trains = True

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
        from gliobench.models.nnunet import Installation, load_nnunet

        installation = Installation(self.python, context.workers)
        return load_nnunet(context.folder.networks(self.name, round.folds), self.name, installation)

    @property
    def verb(self) -> Verb:
        return "train"

    def learning(self, context: "Context") -> list[Learning]:
        from gliobench.study.nnunet import nnunet_learning

        return nnunet_learning(context, self)

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.nnunet import train_nnunet

        train_nnunet(context, self, number, fold)

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.nnunet import plan_nnunet

        return plan_nnunet(ground, self)
