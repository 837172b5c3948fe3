"""Entries of a study file for answers that were given elsewhere, beside models that are asked here."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from gliobench.grid.regions import Region
from gliobench.study.kinds.base import Aggregate, ModelConfig, Scope
from gliobench.study.kinds.regional import names_task, with_tasks
from gliobench.study.kinds.speaking import ViewConfig
from gliobench.study.parts.base import Outside
from gliobench.tasks.mask import MASK
from gliobench.tasks.names import Tasks
from gliobench.tasks.reading import READING_VERSION
from gliobench.tasks.registry import DEFAULT_IN_WORDS

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.models.base.prediction import Model, Question
    from gliobench.models.views.view import View
    from gliobench.study.config.study import Study
    from gliobench.study.state.context import Context, Round


class ReplayModelConfig(ModelConfig):
    """Answers that somebody holds, to the questions of this study.

    Either `answers`: a table, one row an answer, or the answers of another run (`gliobench.replay.answers`), or the
    folder of the reference study's raw answers to one task (`gliobench.replay.placed`); or `masks`: a folder of
    `<patient>.nii.gz`, tumour where the label is above 0. `tasks`: what was asked. `view`: what
    the model was shown, in whose pixels it counts. `sampling`: how the answers were drawn, in words; where it is given,
    `consistency` looks at their repeats.
    """

    question_seconds = 0.01

    kind: Literal["replay"]
    answers: Outside | None = None
    masks: Outside | None = None
    tasks: Tasks = DEFAULT_IN_WORDS
    view: ViewConfig = Field(default_factory=ViewConfig)
    sampling: str = ""
    aggregate: Literal["majority", "mean-probability"] = "majority"

    @model_validator(mode="before")
    @classmethod
    def _a_mask_is_all_that_masks_say(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("masks") is not None:
            if needless := sorted({"tasks", "view", "sampling", "aggregate"} & value.keys()):
                raise ValueError(f"masks answer the task mask, for whole patients: leave out {', '.join(needless)}")
            return {**value, "tasks": (MASK.name,)}
        return value

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.answers is None) == (self.masks is None):
            raise ValueError("give either `answers` (a file) or `masks` (a folder)")
        return self

    def asked(self, regional: Sequence[str], region: Region) -> Self:
        return with_tasks(super().asked(regional, region), self.tasks, region)

    def tells_region_of(self, task: str) -> bool:
        return self.masks is None and names_task(self, self.tasks, task)

    @property
    def source(self) -> Path:
        """The file or the folder."""
        found = self.answers or self.masks
        assert found is not None
        return found

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
        return () if self.masks else self.tasks

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
        return Scope(frozenset(self.tasks), per_slice=self.masks is None)

    def notes(self) -> Iterator[str]:
        if self.masks is not None:
            yield f"{self.name}: held masks from {self.masks.name}, made elsewhere; nobody was asked in this study"
            return
        drawn = f", {self.sampling}" if self.sampling else ""
        source = self.source.name
        yield f"{self.name}: recorded answers from {source}, given elsewhere{drawn}; nobody was asked in this study"
