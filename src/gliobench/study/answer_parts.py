"""Entries of a study file for answers that were given elsewhere, beside models that are asked here."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from gliobench.study.language_parts import LanguageModel, ServerModel, ViewPart
from gliobench.study.part import Name, Outside, Part, Tasks


class ReplayModel(Part):
    """Answers that somebody holds, to the questions of this study.

    Either `answers`: a table, one row an answer, or the answers of another run (`gliobench.replay.answers`), or the
    folder of the reference study's raw answers to one task (`gliobench.replay.placed`); or `masks`: a folder of
    `<patient>.nii.gz`, tumour where the label is above 0. `tasks`: what was asked. `view`: what
    the model was shown, in whose pixels it counts. `sampling`: how the answers were drawn, in words; where it is given,
    `consistency` looks at their repeats.
    """

    kind: Literal["replay"]
    name: Name
    answers: Outside | None = None
    masks: Outside | None = None
    tasks: Tasks = ("grade", "centre", "box", "polygon")
    view: ViewPart = ViewPart()
    sampling: str = ""
    aggregate: Literal["majority", "mean-probability"] = "majority"

    @model_validator(mode="before")
    @classmethod
    def _a_mask_is_all_that_masks_say(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("masks") is not None:
            if needless := sorted({"tasks", "view", "sampling", "aggregate"} & value.keys()):
                raise ValueError(f"masks answer the task mask, for whole patients: leave out {', '.join(needless)}")
            return {**value, "tasks": ("mask",)}
        return value

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.answers is None) == (self.masks is None):
            raise ValueError("give either `answers` (a file) or `masks` (a folder)")
        return self

    @property
    def source(self) -> Path:
        """The file or the folder."""
        found = self.answers or self.masks
        assert found is not None
        return found


def samples(part: Part, task: str) -> bool:
    """Whether a model draws its answers to a task, so that the same question can be answered in two ways."""
    if isinstance(part, ReplayModel):
        return bool(part.sampling)
    if isinstance(part, LanguageModel) and part.answer.get(task) == "choice":
        return False  # the most probable choice, whatever the temperature
    return isinstance(part, LanguageModel | ServerModel) and part.temperature > 0
