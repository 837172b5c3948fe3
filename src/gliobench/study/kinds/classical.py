"""Entries of a study file for the classical baseline."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, model_validator

from gliobench.cohort.variables import unknown_column
from gliobench.models.base.errors import ModelError
from gliobench.ranges import Seed, Text, once
from gliobench.study.kinds.base import PATIENTS_GRADE, ModelConfig, Scope
from gliobench.study.parts.base import Name, check_by
from gliobench.study.parts.neutral import InAnyWords

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.plan.estimates import ModelPlan
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round

DESCRIBED_SECONDS = 1.6e-6  # a voxel of a patient, who is described once; docs/planning.md
FIT_SECONDS = 3.0  # of its three designs, calibration included, in a round


class ClassicalConfig(ModelConfig):
    """Features by hand and scikit-learn, fitted on the training patients of the fold: the classical baseline.

    `region`: where it looks: the whole prepared `crop`, its `brain` (or `foreground`), the target that the model `by`
    found in patients it did not learn from (`predicted`), or the true target (`truth`, an oracle); `none`: at the
    variables alone. `variables`: columns of the cohort's table that are features too. `seed`: of its forests.
    """

    LATER: ClassVar = frozenset({"variables", "seed"})

    kind: Literal["classical"]
    region: Annotated[Literal["crop", "brain", "predicted", "truth", "none"], InAnyWords] = "brain"
    by: Name | None = None
    variables: Annotated[tuple[Text, ...], AfterValidator(once)] = ()
    seed: Seed = 0

    classical = True

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("region", self.region, self.by)
        return self

    @model_validator(mode="after")
    def _looks_at_something(self) -> Self:
        if self.region == "none" and not self.variables:
            raise ValueError("region: none looks at `variables` alone: name columns of the cohort's table there")
        return self

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.region != "truth":
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.base.region_of_interest import RegionOfInterest
        from gliobench.models.classical.grade import fit_grader
        from gliobench.models.classical.variables import find_variables
        from gliobench.study.asking.region_of_interest import learners, shown

        subjects, variables = shown(context, self), find_variables(self.variables, context.subjects.values())
        model = fit_grader(self.name, self.region, *learners(subjects, round), variables=variables, seed=self.seed)
        return model if subjects is context.subjects else RegionOfInterest(model, subjects)

    @property
    def masks_by(self) -> str | None:
        return self.by

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.models.base.calibration import CALIBRATION_VERSION

        return {"calibration": CALIBRATION_VERSION, **self._told(context)}

    def _told(self, context: "Context") -> Mapping[str, Any]:
        """What each patient has of the variables. Raises ModelError for a column that the cohort's table has not."""
        subjects = context.subjects.values()
        if fault := unknown_column(self.variables, [one.variables for one in subjects]):
            raise ModelError(f"{self.name}: variables: {fault}")
        values = {one.id: [one.variables.get(name) for name in self.variables] for one in subjects}
        return {"variables": values} if self.variables else {}

    def warnings(self, context: "Context") -> Iterator[str]:
        from gliobench.models.classical.variables import find_variables, variable_faults
        from gliobench.study.asking.region_of_interest import learners

        for variable in find_variables(self.variables, context.subjects.values()):
            found: dict[str, list[str]] = {}
            for round in context.rounds:
                train = [one for one in learners(context.subjects, round)[0] if one.grade is not None]
                for fault in variable_faults(variable, train):
                    found.setdefault(fault, []).extend(map(str, round.folds))
            for fault, folds in found.items():
                where = "" if len(folds) == len(context.folds) else f" of fold {', '.join(folds)}"
                yield f"{self.name}: {fault}{where}."

    @property
    def mark(self) -> str:
        return "variables alone" if self.region == "none" else ""

    def notes(self) -> Iterator[str]:
        if self.variables:
            beside = "no image" if self.region == "none" else "beside features of the images"
            yield f"{self.name}: {', '.join(self.variables)} of the cohort's table, {beside}."

    @property
    def leaves_validation_out(self) -> bool:
        return True

    def seeded(self, number: int) -> Self:
        return self.model_copy(update={"seed": self.seed + number})

    @property
    def calibrated(self) -> bool:
        return True

    @property
    def prompts_segmenters(self) -> bool:
        return False

    @property
    def scope(self) -> Scope:
        return PATIENTS_GRADE

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        from gliobench.study.plan.estimates import Missing

        rounds = plan_inputs.counts.rounds
        seen = {id for round in rounds for id in (*round.learn, *round.validation, *round.test)}
        described = 0 if self.region == "none" else len(seen)
        seconds = DESCRIBED_SECONDS * plan_inputs.voxels * described + FIT_SECONDS * len(rounds)
        missing = [*plan_inputs.ungraded(self.name, each=1)]
        if fault := unknown_column(self.variables, [one.variables for one in plan_inputs.counts.patients.values()]):
            missing.append(Missing(self.name, f"variables: {fault}"))
        return plan_inputs.counted(self, seconds=seconds, missing=missing)
