"""What the plan of every model stands on."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gliobench.grid.splits import Fold
from gliobench.integrity import DamagedError, read_stamp
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.stage import Stage
from gliobench.study.plan.counts import Counts, Patient, asked_ids, control_count, questions_by_place
from gliobench.study.plan.estimates import Estimate, Missing, ModelPlan, Step, hours, worst
from gliobench.study.plan.hardware import Hardware
from gliobench.study.state.context import Context
from gliobench.tasks.mask import MASK


@dataclass(frozen=True)
class PlanInputs:
    """A study and its folder, who takes part, this machine, and the hardware that the plan names."""

    context: Context
    counts: Counts
    here: Hardware
    there: Hardware

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Every fold in use."""
        return tuple(fold for round in self.counts.rounds for fold in round.folds.values())

    @property
    def tested(self) -> Estimate:
        """How many patients are tested."""
        return Estimate(len(self.counts.tested), self.counts.basis)

    def tested_on(self, task: str) -> tuple[str, ...]:
        """The tested patients whom a model is asked about for a task of the study: those with a truth."""
        asked = self.counts.tested if task in self.context.study.tasks else ()
        return tuple(id for id in asked if self.counts.patients[id].teaches(task))

    def with_mask(self, ids: Iterable[str]) -> int:
        """How many of some patients have a mask."""
        return sum(self.counts.patients[id].mask for id in ids)

    @property
    def voxels(self) -> int:
        """Of a patient on the grid; a mask of it takes a bit each."""
        return math.prod(self.context.study.grid.shape)

    def counted(
        self, config: ModelConfig, *, seconds: float | None = None, missing: Iterable[Missing] = (), said: str = ""
    ) -> ModelPlan:
        """The plan of any model: its questions, where its kind declares what it answers. `seconds`: of all of them;
        None: by its kind's `question_seconds`, else not known before it has run once."""
        scope = config.scope
        questions = self.questions(config)
        if seconds is None and config.question_seconds is not None and questions:
            seconds = config.question_seconds * questions.value
        step = self.asking(config, questions, seconds)
        whole = scope is not None and MASK.name in scope.tasks and not scope.per_slice
        masks = len(self.tested_on(MASK.name)) * self.voxels / 8 if whole else 0.0
        unknown = (
            "" if scope else f"{config.name}: it does not declare what it answers: its questions are not counted.",
            "" if step.hours_here else f"{config.name}: how long it takes is not known before it has run once.",
        )
        return ModelPlan((step,), (), tuple(missing), masks, tuple(one for one in (said, *unknown) if one))

    def asking(self, config: ModelConfig, questions: Estimate | None, seconds: float | None) -> Step:
        """The stage `predict` of a model. `seconds`: on this machine, where it has not run before."""
        here = self.measured(Stage("predict", config.name)) or (None if seconds is None else hours(seconds))
        return Step("predict", config.name, self.tested, questions=questions, hours_here=here)

    def questions(self, config: ModelConfig) -> Estimate | None:
        """How many questions a model is asked; None where it does not declare what it answers."""
        if (scope := config.scope) is None:
            return None
        if scope.per_slice:
            asked = questions_by_place(self.counts, config, self.context.study)
            return Estimate(sum(asked.values()), worst(self.counts.basis, self.counts.slices_basis))
        study = self.context.study
        tasks = [task for task in study.tasks if task in scope.tasks]
        whole = sum(len(asked_ids(self.counts, config, study, task)) for task in tasks)
        altered = sum(control_count(self.counts, config, study, task) for task in tasks)
        return Estimate(whole + altered, self.counts.basis)

    def measured(self, stage: Stage) -> Estimate | None:
        """Hours that a stage took before in this folder."""
        try:
            stamp = read_stamp(self.context.folder.stamp(stage))
        except (OSError, DamagedError):
            return None
        return None if stamp is None else Estimate(stamp.seconds / 3600, "measured")

    def stamped(self, stage: Stage, seconds: float) -> Estimate:
        """Hours of a stage: what it took before in this folder, else an estimate."""
        return self.measured(stage) or hours(seconds)

    def trained(self, name: str, seconds: float) -> Estimate:
        """Hours of a model's trainings on all folds in use: what they took where all were done, else an estimate."""
        folds = [number for round in self.counts.rounds for number in round.folds]
        took = [self.measured(Stage("train", name, number)) for number in folds]
        known = [one.value for one in took if one]
        return Estimate(sum(known), "measured") if took and len(known) == len(took) else hours(seconds)

    def untaught(self, name: str, folds: Iterable[Fold], teaches: Callable[[Patient], object]) -> Iterator[Missing]:
        """A line where a fold has no training or no validation patient who `teaches`."""
        for fold in folds:
            for ids, what in ((fold.train, "train on"), (fold.validation, "validate on")):
                if not any(teaches(self.counts.patients[id]) for id in ids):
                    yield Missing(name, f"no patient with a truth for its tasks to {what}: remove this model")
                    return

    def ungraded(self, name: str, each: int) -> Iterator[Missing]:
        """A line where a round has fewer than `each` training patients of a class."""
        problem = self.context.study.problem
        for round in self.counts.rounds:
            found = [self.counts.patients[id].grade for id in round.learn if id not in round.validation]
            if min(map(found.count, range(problem.count))) < each:
                needed = f"{each} training patients per {problem.asked} are needed"
                yield Missing(name, f"{needed}, found {problem.counted(found)}: remove this model")
                return
