"""Entries of a study file for trivial baselines."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from gliobench.cohort.problem import Problem
from gliobench.cohort.sources import SOURCE
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.of_regions import ModelOfEachRegion
from gliobench.models.baselines import BASELINES
from gliobench.models.baselines.source import UNKNOWN
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.base import ModelConfig, Scope
from gliobench.tasks.registry import TASKS, plain

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round


class BaselineConfig(ModelConfig):
    """A trivial baseline of `gliobench.models.baselines`; its name is its entry there."""

    trivial = True
    own_camp: ClassVar[Camp] = "trivial"
    question_seconds = 0.01

    kind: Literal["baseline"]

    @model_validator(mode="after")
    def _the_baseline_is_known(self) -> Self:
        if self.name not in BASELINES:
            raise ValueError(f"no baseline is named {self.name!r}; there are {', '.join(BASELINES)}")
        return self

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    def asked_on_validation(self, task: str) -> bool:
        return True

    @property
    def finds_the_whole(self) -> bool:
        return self.name in ("flair-blob", "bright-blob")

    def tells_region_of(self, task: str) -> bool:
        return not self.finds_the_whole and self._own_scope is not None and plain(task) in self._own_scope.tasks

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        learn, make = [context.subjects[id] for id in round.learn], BASELINES[self.name]
        regional = {task: make([TASKS[task].asked_of(one) for one in learn], plane) for task in self.regional}
        return ModelOfEachRegion(make(learn, plane), regional) if regional else make(learn, plane)

    @property
    def scope(self) -> Scope | None:
        own = self._own_scope
        return own and Scope(own.tasks.union(self.regional), own.per_slice)

    def content(self, context: "Context") -> Mapping[str, Any]:
        if self.name != SOURCE:
            return {}
        return {"sources": {id: subject.variables.get(SOURCE) for id, subject in context.subjects.items()}}

    @cached_property
    def _own_scope(self) -> Scope | None:
        model = self._tried(with_mask=True)
        return None if isinstance(model, Exception) else Scope(frozenset(model.tasks), model.per_slice)

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        from gliobench.study.plan.estimates import Missing

        missing = []
        if not all(plan_inputs.with_mask(round.learn) for round in plan_inputs.counts.rounds):
            fault = self._tried(with_mask=False)
            if isinstance(fault, Exception):
                missing.append(Missing(self.name, f"{fault}: remove this model"))
        if self.name == SOURCE and not any(SOURCE in one.variables for one in plan_inputs.counts.patients.values()):
            missing.append(Missing(self.name, f"{UNKNOWN}: remove this model"))
        return plan_inputs.counted(self, missing=missing)

    def _tried(self, *, with_mask: bool) -> "Model | Exception":
        """The baseline that an invented patient makes, or what it raises."""
        try:
            return BASELINES[self.name]([_invented(self.problem, with_mask=with_mask)], "axial")
        except Exception as error:  # another package's code, which may ask for more than an invented patient has
            return error


def _invented(problem: Problem, *, with_mask: bool) -> PreparedSubject:
    """A patient of 8³ voxels, so that a baseline can be asked what it answers before any patient is prepared."""
    channels = len(problem.images)
    image = (np.arange(channels * 8**3) % 256).astype(np.uint8).reshape(channels, 8, 8, 8)
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:6, 2:6, 2:6] = 1
    return PreparedSubject(
        id="invented",
        grade=problem.positive_class if problem.classes else None,
        image=image,
        labels=labels if with_mask else None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(8, 8, 8),
        oracle=False,
        content="invented",
        problem=problem,
        variables={SOURCE: "invented"},
    )
