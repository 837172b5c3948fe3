"""Entries of a study file for answers that were given elsewhere, beside models that are asked here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from gliobench.grid.regions import Region
from gliobench.study.kinds.base import ModelConfig, Scope
from gliobench.study.kinds.regional import names_task, with_tasks
from gliobench.study.kinds.speaking import ViewConfig
from gliobench.study.kinds.spoken import Aggregate
from gliobench.study.parts.base import Outside
from gliobench.tasks.mask import MASK
from gliobench.tasks.names import Tasks
from gliobench.tasks.reading import READING_VERSION
from gliobench.tasks.registry import DEFAULT_IN_WORDS

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model, Question
    from gliobench.models.views.view import View
    from gliobench.replay.answers import AnswersFile
    from gliobench.study.config.study import Study
    from gliobench.study.state.context import Context, Round


# The keys that name answers, with those that do not go with each.
NEEDLESS = {
    "answers": ("readers",),
    "patients": ("view", "sampling", "aggregate"),
    "masks": ("view", "sampling", "aggregate", "readers"),
}
NOT_IN_NAMES = r"[^A-Za-z0-9._-]+"


class ReplayModelConfig(ModelConfig):
    """Answers that were given elsewhere, to the questions of this study.

    One of three. `answers`: about slices: a table, one row per answer, or the answers of another run
    (`gliobench.replay.answers`), or the folder of the reference study's raw answers to one task
    (`gliobench.replay.placed`). `patients`: about whole patients: a table of classes and of masks' files; where it has
    a column `reader`, `readers` says whether each reader is a model, or their majority. `masks`: a folder of
    `<patient>.nii.gz`, tumour where the label is above 0. `tasks`: what was asked; of `patients` by default what the
    table answers. `view`: what the model was shown, in whose pixels it counts. `sampling`: how the answers were drawn,
    in words; where it is given, `consistency` looks at their repeats.
    """

    LATER: ClassVar = frozenset({"patients", "readers"})
    question_seconds = 0.01

    kind: Literal["replay"]
    answers: Outside | None = None
    patients: Outside | None = None
    readers: Literal["each", "majority"] = "each"
    masks: Outside | None = None
    tasks: Tasks = DEFAULT_IN_WORDS
    view: ViewConfig = Field(default_factory=ViewConfig)
    sampling: str = ""
    aggregate: Literal["majority", "mean-probability"] = "majority"
    _reader: str | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _a_mask_is_all_that_masks_say(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("masks") is not None:
            if "tasks" in value:
                raise ValueError("masks answer the task mask, for whole patients: leave out tasks")
            return {**value, "tasks": (MASK.name,)}
        return value

    @model_validator(mode="after")
    def _one_of_the_three(self) -> Self:
        found = [key for key in NEEDLESS if getattr(self, key) is not None]
        if len(found) != 1:
            raise ValueError(
                "give one of `answers` (a file, about slices), `patients` (a file, about whole patients) and `masks` "
                "(a folder)"
            )
        if needless := [key for key in NEEDLESS[found[0]] if key in self.model_fields_set]:
            raise ValueError(f"`{found[0]}` are not read by {', '.join(needless)}: leave out {', '.join(needless)}")
        return self

    def asked(self, regional: Sequence[str], region: Region) -> Self:
        return with_tasks(super().asked(regional, region), self.tasks, region)

    def tells_region_of(self, task: str) -> bool:
        return self.answers is not None and names_task(self, self.tasks, task)

    def entries(self) -> Sequence[Self]:
        from gliobench.study.asking.external import readers_of

        if self.patients is None or not (found := readers_of(self)):
            return (self,)
        if self.readers == "majority" or found[0].reader is None:
            return (self._asked_for(found),)
        return [self._asked_for([one])._of_reader(str(one.reader)) for one in found]

    def _asked_for(self, files: "Sequence[AnswersFile]") -> Self:
        """The entry with the tasks that are answered, where it names none."""
        tasks = tuple(dict.fromkeys(place.task for one in files for place in one.answers))
        return self.model_copy(update={} if "tasks" in self.model_fields_set else {"tasks": tasks})

    def _of_reader(self, reader: str) -> Self:
        """The entry of one reader, whose name follows the entry's."""
        entry = self.model_copy(update={"name": f"{self.name}-{re.sub(NOT_IN_NAMES, '-', reader)}"})
        entry._reader = reader
        return entry

    @property
    def source(self) -> Path:
        """The file or the folder."""
        found = self.answers or self.patients or self.masks
        assert found is not None
        return found

    @property
    def reader(self) -> str | None:
        """The one reader whose answers it is; None: all of them."""
        return self._reader

    @property
    def mark(self) -> str:
        return "recorded answers"

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.study.asking.external import replayed_model

        return replayed_model(self, context.subjects)

    @property
    def built_each_round(self) -> bool:
        return False

    def content(self, context: "Context") -> Mapping[str, Any]:
        from gliobench.study.asking.external import external_digest

        return {"reading": READING_VERSION, "held": external_digest(self)}

    @property
    def replayed(self) -> "ReplayModelConfig | None":
        return self if self.answers else None

    @property
    def external(self) -> bool:
        return True

    def read_external(self) -> None:
        from gliobench.study.asking.external import external_digest

        external_digest(self)

    def fit(self, context: "Context", questions: Sequence["Question"]) -> Iterator[str]:
        from gliobench.study.asking.external import check_external, replayed_model

        return check_external(self, replayed_model(self, context.subjects), questions)

    def region_notes(self, study: "Study") -> Iterator[str]:
        if study.asked_region.whole:
            return
        title = study.asked_region.title
        yield f"{self.name}: recorded answers stand as they are; that they are about the {title} nobody can check."

    @property
    def spoken_tasks(self) -> tuple[str, ...]:
        return self.tasks if self.answers else ()

    @property
    def picture(self) -> "View":
        return self.view.to_view(self.problem)

    def samples(self, task: str) -> bool:
        return bool(self.sampling)

    def sampling_words(self, task: str) -> str:
        return self.sampling or "recorded answers, one to each question"

    @property
    def aggregation(self) -> Aggregate:
        return self.aggregate

    @property
    def scope(self) -> Scope:
        return Scope(frozenset(self.tasks), per_slice=self.answers is not None)

    def notes(self) -> Iterator[str]:
        if self.masks is not None:
            yield f"{self.name}: masks from {self.masks.name}, made elsewhere; nobody was asked in this study"
            return
        drawn = f", {self.sampling}" if self.sampling else ""
        if self.patients is not None:
            whose = f", reader {self.reader}" if self.reader else ""
            drawn = ", the majority of the readers" if self.readers == "majority" else whose
        source = self.source.name
        yield f"{self.name}: recorded answers from {source}, given elsewhere{drawn}; nobody was asked in this study"
