"""Entries of a study file for trivial baselines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from gliobench.models.baselines import BASELINES
from gliobench.study.kinds.base import ModelPart

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground


class BaselineModel(ModelPart):
    """A trivial baseline of `gliobench.models.baselines`; its name is its entry there."""

    trivial = True

    kind: Literal["baseline"]

    @model_validator(mode="after")
    def _the_baseline_is_known(self) -> Self:
        if self.name not in BASELINES:
            raise ValueError(f"no baseline is named {self.name!r}; there are {', '.join(BASELINES)}")
        return self

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    @property
    def finds_the_whole(self) -> bool:
        return self.name == "flair-blob"

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        return BASELINES[self.name]([context.subjects[id] for id in round.learn], plane)

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.trivial import plan_baseline

        return plan_baseline(ground, self)
