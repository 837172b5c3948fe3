"""Entries of a study file for grade models that answer together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from gliobench.cohort.problem import with_article
from gliobench.study.kinds.base import PATIENTS_GRADE, ModelConfig, Scope
from gliobench.study.parts.base import Names
from gliobench.tasks.grade import GRADE

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round


class EnsembleConfig(ModelConfig):
    """Classifiers of the study, by name, that answer together: the mean of their calibrated probabilities."""

    kind: Literal["ensemble"]
    of: Names = Field(min_length=2)

    def check(self, study: "Study") -> None:
        names = [config.name for config in study.models]
        for one in self.of:
            if one not in names:
                raise ValueError(f"{self.name}: of {one}: no model is named {one!r}; there are {', '.join(names)}")
        if nested := [config.name for config in self.members(study) if config.members(study)]:
            raise ValueError(f"{', '.join(sorted(nested))}: models that answer together cannot be members of others")

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if not any("region" in one.oracles(study) for one in self.members(study)):
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def members(self, study: "Study") -> Sequence[ModelConfig]:
        return [one for one in study.models if one.name in self.of]

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.base.ensemble import Ensemble
        from gliobench.models.base.prediction import Grader
        from gliobench.study.state.context import StageError

        parts = {one.name: one for one in context.study.models}
        members = [parts[name].build(context, round, plane) for name in self.of]
        for member in members:
            if GRADE.name not in member.tasks or not isinstance(member, Grader):
                what = with_article(self.problem.asked)
                raise StageError(f"{self.name}: {member.name} gives no calibrated probability of {what}")
        return Ensemble(self.name, [member for member in members if isinstance(member, Grader)])

    @property
    def scope(self) -> Scope:
        return PATIENTS_GRADE

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        """Nothing is trained, and every member is built and answers once more."""
        from gliobench.study.plan.estimates import Missing, total

        members = self.members(plan_inputs.context.study)
        again = [step for one in members for step in one.plan(plan_inputs).steps if step.stage == "predict"]
        counted = plan_inputs.counted(
            self,
            seconds=3600 * sum(step.hours_here.value for step in again if step.hours_here),
            missing=(
                Missing(self.name, f"{one.name} gives no calibrated probability of {with_article(self.problem.asked)}")
                for one in members
                if not one.calibrated
            ),
            said=f"{self.name}: each of {', '.join(self.of)} is asked again, and all are in memory at once.",
        )
        step = replace(
            counted.steps[0],
            gpu_memory_gib=total(step.gpu_memory_gib for step in again),
            hours_there=total(step.hours_there for step in again),
        )
        return replace(counted, steps=(step,))
