"""Entries of a study file for the classical grade baseline."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from gliobench.study.kinds.base import PATIENTS_GRADE, ModelConfig, Scope
from gliobench.study.parts.base import Name, check_by

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
    """Features by hand and scikit-learn, fitted on the training patients of the fold: the classical grade baseline.

    `region`: where it looks: the whole prepared `crop`, its `brain`, the tumour that the model `by` found in patients
    it did not learn from (`predicted`), or the true tumour (`truth`, an oracle).
    """

    kind: Literal["classical"]
    region: Literal["crop", "brain", "predicted", "truth"] = "brain"
    by: Name | None = None

    classical = True

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("region", self.region, self.by)
        return self

    def oracles(self, study: "Study") -> Mapping[str, str]:
        if self.region != "truth":
            return {}
        return {"region": f"region: {self.name} looks where the true {study.tumour_word} is"}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.base.region_of_interest import RegionOfInterest
        from gliobench.models.classical.grade import fit_grader
        from gliobench.study.asking.region_of_interest import learners, shown

        subjects = shown(context, self)
        model = fit_grader(self.name, self.region, *learners(subjects, round))
        return model if subjects is context.subjects else RegionOfInterest(model, subjects)

    @property
    def masks_by(self) -> str | None:
        return self.by

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.models.base.calibration import CALIBRATION_VERSION

        return {"calibration": CALIBRATION_VERSION}

    @property
    def leaves_validation_out(self) -> bool:
        return True

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
        rounds = plan_inputs.counts.rounds
        seen = {id for round in rounds for id in (*round.learn, *round.validation, *round.test)}
        seconds = DESCRIBED_SECONDS * plan_inputs.voxels * len(seen) + FIT_SECONDS * len(rounds)
        return plan_inputs.counted(self, seconds=seconds, missing=plan_inputs.ungraded(self.name, each=1))
