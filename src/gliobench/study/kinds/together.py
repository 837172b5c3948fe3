"""Entries of a study file for grade models that answer together."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gliobench.study.kinds.base import ModelPart
from gliobench.study.part import Names
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground


class TogetherModel(ModelPart):
    """Grade models of the study, by name, that answer together: the mean of their calibrated probabilities."""

    kind: Literal["together"]
    of: Names = Field(min_length=2)

    def check(self, study: "Study") -> None:
        names = [part.name for part in study.models]
        for one in self.of:
            if one not in names:
                raise ValueError(f"{self.name}: of {one}: no model is named {one!r}; there are {', '.join(names)}")
        if nested := [part.name for part in self.members(study) if part.members(study)]:
            raise ValueError(f"{', '.join(sorted(nested))}: models that answer together cannot be members of others")

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if not any("region" in one.oracles(study) for one in self.members(study)):
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def members(self, study: "Study") -> Sequence[ModelPart]:
        return [one for one in study.models if one.name in self.of]

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.prediction import Grader
        from gliobench.models.together import Together
        from gliobench.study.context import StageError

        parts = {one.name: one for one in context.study.models}
        members = [parts[name].build(context, round, plane) for name in self.of]
        for member in members:
            if GRADE.name not in member.tasks or not isinstance(member, Grader):
                raise StageError(f"{self.name}: {member.name} gives no calibrated probability of a grade")
        return Together(self.name, [member for member in members if isinstance(member, Grader)])

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.together import plan_together

        return plan_together(ground, self)
