"""One point of a learning curve as a study of its own: the same patients, questions and settings, fewer of the training
patients, and a folder inside the study's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean

from gliobench.grid.splits import Fold, Ids, Patients
from gliobench.grid.subsets import count_patients, subset
from gliobench.study.config.study import Study
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.branch import BranchContext, BranchFolder, alone, branch_study
from gliobench.study.state.context import Context
from gliobench.tasks.registry import TASKS

Folds = Mapping[int, Fold]


@dataclass(frozen=True)
class Draws:
    """How training patients are drawn: the class of each scan that teaches anything the study asks, its patient, and
    what is drawn with it as one."""

    grades: Mapping[str, int | None]
    patients: Patients
    units: Patients
    seed: int

    def of(self, folds: Folds, size: int, repeat: int) -> dict[int, Fold]:
        """The folds with `size` of their training patients each."""
        return {
            number: replace(
                fold,
                train=subset(
                    self.teaching(fold), size, self.grades, self.patients, self.units, (self.seed, number, repeat)
                ),
            )
            for number, fold in folds.items()
        }

    def trained(self, folds: Folds) -> list[int]:
        """How many training patients each fold has."""
        return [count_patients(self.teaching(fold), self.patients) for fold in folds.values()]

    def teaching(self, fold: Fold) -> Ids:
        """The training scans of a fold that teach anything."""
        return tuple(id for id in fold.train if id in self.grades)


@dataclass(frozen=True)
class Point:
    """`repeat`, from 0, of the draws of `size` training patients; `patients`: the mean over folds of how many they are,
    fewer than `size` where groups of patients stay together."""

    size: int
    repeat: int
    patients: float

    def __str__(self) -> str:
        return f"{self.size}-{self.repeat}"


def points_of(study: Study, folds: Folds, draws: Draws) -> tuple[list[Point], list[str]]:
    """The points of the study's learning curve, and a sentence on each size that is left out."""
    assert study.learning_curve is not None
    whole, points, left = draws.trained(folds), [], []
    for size in study.learning_curve.sizes:
        if size >= min(whole):
            left.append(f"{size} patients: a fold has {min(whole)} training patients, whom the full study learns from")
            continue
        trained = [draws.trained(draws.of(folds, size, repeat)) for repeat in range(study.learning_curve.repeats)]
        if min(map(min, trained)) == 0:
            left.append(f"{size} patients: a group of `together: {study.split.together}` is larger")
            continue
        points += [Point(size, repeat, fmean(counts)) for repeat, counts in enumerate(trained)]
    return points, [f"learning curve, without {sentence}" for sentence in left]


def curve_models(study: Study) -> tuple[list[ModelConfig], list[ModelConfig], list[str]]:
    """The models that learn, those that learn from nobody, and a sentence on each that is in no learning curve."""
    found, left = alone(study, "learning curve")
    learning = [config for config in found if config.learns]
    return learning, [config for config in found if not (config.learns or config.trivial)], left


@dataclass(frozen=True)
class PointContext(BranchContext):
    """A model at a point of its learning curve."""

    point: Point = field(kw_only=True)

    @property
    def label(self) -> str:
        return f"{self.model.name} at {self.point}"

    @cached_property
    def folds(self) -> Folds:
        """Every fold for what is trained fold by fold; the first of each round for what learns once a round."""
        used = self.whole.folds if self.model.trains else firsts(self.whole)
        return draws_of(self.whole).of(used, self.point.size, self.point.repeat)


def firsts(context: Context) -> Folds:
    """The first fold of each round."""
    return dict(next(iter(round.folds.items())) for round in context.rounds)


def draws_of(context: Context) -> Draws:
    """How training patients of the study are drawn."""
    subjects, split, tasks = context.subjects, context.study.split, context.study.tasks
    return Draws(
        {id: one.grade for id, one in subjects.items() if any(TASKS[task].has_truth(one) for task in tasks)},
        context.patients,
        {id: split.unit(one.patient, one.variables) for id, one in subjects.items()},
        split.seed,
    )


def at_point(context: Context, model: ModelConfig, point: Point) -> PointContext:
    """The study at a point of one model's learning curve."""
    folder = BranchFolder(context.folder.curve(model.name) / str(point), study=context.folder)
    study = branch_study(context.study, model)
    return PointContext(
        study, context.cohort, folder, context.store, workers=context.workers, whole=context, model=model, point=point
    )


def at_points(context: Context, models: Sequence[ModelConfig], points: Sequence[Point]) -> Iterator[PointContext]:
    """The study at every point of each model's learning curve."""
    return (at_point(context, model, point) for model in models for point in points)
