"""Models that answer tasks of one region, made of models that know the plain tasks alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Generic, TypeVar

from gliobench.cohort.problem import Problem
from gliobench.grid.regions import BRATS_REGIONS, REGIONS, RegionName, region_named
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Model, Prediction, Question, Settings, setting_of_task
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import VolumeMask
from gliobench.tasks.mask import MASK
from gliobench.tasks.registry import TASKS, plain

R = TypeVar("R", Model, RegionName)


@dataclass(frozen=True, eq=False)
class _Regional(Generic[R]):
    """`model`, which knows the plain tasks, and by its name each task of one region that it answers too."""

    model: Model
    regional: Mapping[str, R]

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def tasks(self) -> frozenset[str]:
        return self.model.tasks | self.regional.keys()

    @property
    def per_slice(self) -> bool:
        return self.model.per_slice


class ModelOfEachRegion(_Regional[Model]):
    """`regional`: for each task of one region a model that was made from that region."""

    @property
    def settings(self) -> Settings:
        """The plain model's own, and each other's for its task alone."""
        others = {
            setting_of_task(task, key): value
            for task, model in self.regional.items()
            for key, value in model.settings.items()
        }
        return {**self.model.settings, **others}

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked."""
        for question in questions:
            asked = replace(
                question, task=plain(question.task), subject=TASKS[question.task].asked_of(question.subject)
            )
            for prediction in self.regional.get(question.task, self.model).predict([asked]):
                yield replace(prediction, question=question)


def inner_region(problem: Problem, task: str) -> RegionName | None:
    """Which of BraTS's inner regions a task asks the mask of; None where it asks something else."""
    asked = TASKS[task].region_name
    if asked is None or plain(task) != MASK.name:
        return None
    return next((one for one in REGIONS[1:] if BRATS_REGIONS[one] == region_named(problem, asked)), None)


def told_apart(model: Model, problem: Problem, tasks: Sequence[str]) -> Model:
    """A model whose masks tell BraTS's regions apart, answering `tasks`, each the mask of one of them, too."""
    regional = {task: region for task in tasks if (region := inner_region(problem, task))}
    return MaskOfEachRegion(model, regional) if regional else model


class MaskOfEachRegion(_Regional[RegionName]):
    """A model whose mask of a patient tells regions apart: asked once, it answers the task `mask` and those of
    `regional` with the regions that they ask of."""

    @property
    def settings(self) -> Settings:
        return self.model.settings

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """One prediction per question, in the order asked; a patient's questions share the seconds of its one mask."""
        together = [list(same) for _, same in groupby(questions, lambda question: question.subject.id)]
        masks = self.model.predict([replace(same[0], task=MASK.name) for same in together])
        for same, mask in zip(together, masks, strict=True):
            seconds = None if mask.seconds is None else mask.seconds / len(same)
            for question in same:
                yield replace(mask, question=question, answer=self._part(question, mask.answer), seconds=seconds)

    def _part(self, question: Question, answer: Answer) -> Answer:
        region = self.regional.get(question.task)
        if region is None or not isinstance(answer, Answered) or not isinstance(answer.value, VolumeMask):
            return answer
        voxels = {"core": answer.value.core, "enhancing": answer.value.enhancing}.get(region)
        if voxels is None:
            raise ModelError(f"{self.name}: its masks do not tell the {region}; train it with `regions: brats`")
        return Answered(VolumeMask(voxels))
