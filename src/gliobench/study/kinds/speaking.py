"""What entries for models that answer in words share: what they are shown, and how their answers are drawn."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.variables import unknown_column
from gliobench.grid.regions import Region
from gliobench.models.base.errors import ModelError
from gliobench.models.language.answer_modes import AnswerMode
from gliobench.models.views.view import View
from gliobench.ranges import Real, Seed, Temperature, Whole
from gliobench.study.kinds.base import ModelConfig, check_images
from gliobench.study.kinds.regional import names_task, with_tasks
from gliobench.study.kinds.spoken import Aggregate
from gliobench.study.parts.base import Outside, Tokens, written
from gliobench.study.parts.seen import Seen
from gliobench.tasks.coordinates import FAMILIES, known_family
from gliobench.tasks.names import Tasks
from gliobench.tasks.prompt import REGION, Prompt
from gliobench.tasks.prompt_file import is_about_gliomas, read_prompt_file
from gliobench.tasks.reading import READING_VERSION
from gliobench.tasks.registry import DEFAULT_IN_WORDS, TASKS, plain, task_about, task_words

if TYPE_CHECKING:
    from gliobench.models.language.decoding import Decoding
    from gliobench.study.config.study import Study
    from gliobench.study.state.context import Context


class ViewConfig(written(View, without=["problem"])):  # type: ignore[misc]
    """What is shown of a slice, and told of the patient. A name alone stands for that view as it is."""

    LATER: ClassVar = frozenset({"stretch", "coordinates", "told"})

    @model_validator(mode="before")
    @classmethod
    def _a_name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if set(self.modalities) <= set(GLIOMA.names):  # else the problem decides
            self.to_view(GLIOMA)
        return self

    def to_view(self, problem: Problem) -> View:
        """The view itself. Raises ModelError, which is a ValueError, for options that do not go together."""
        return View(**dict(self), problem=problem)


class SpeakingConfig(ModelConfig):
    """A model that answers in words about slices that it is shown. `shots`: how many slices of training patients it is
    shown with their true answers before every question. `seen`: the patients in its pretraining, by id, where they are
    known; else `unknown`, or `none`."""

    LATER: ClassVar = frozenset({"top_k", "min_p", "seen"})

    tasks: Tasks = DEFAULT_IN_WORDS
    view: ViewConfig = Field(default_factory=ViewConfig)
    shots: Annotated[Whole, Field(ge=0, le=1000)] = 0
    prompts: Outside | None = None
    temperature: Temperature = 0.0
    top_p: Real = Field(default=1.0, gt=0, le=1)
    top_k: Whole = Field(default=0, ge=0, le=1_000_000)
    min_p: Real = Field(default=0.0, ge=0, le=1)
    max_new_tokens: Tokens | None = None
    seed: Seed = 0
    aggregate: Aggregate = "majority"
    seen: Seen = "unknown"

    def about(self, problem: Problem) -> Self:
        entry = super().about(problem)
        check_images(self.name, "view.modalities", self.view.modalities, problem)
        try:
            self.view.to_view(problem)
        except ModelError as error:
            raise ValueError(f"models: {self.name}: {error}") from None
        return entry

    def asked(self, regional: Sequence[str], region: Region) -> Self:
        return with_tasks(super().asked(regional, region), self.tasks, region)

    def tells_region_of(self, task: str) -> bool:
        return names_task(self, self.tasks, task)

    @property
    @abstractmethod
    def known_as(self) -> str:
        """The name by which the family of the model is known."""

    @property
    @abstractmethod
    def source_words(self) -> str:
        """Which model it is, and where, for the report."""

    @property
    def declared(self) -> tuple[str, Seen] | None:
        return self.known_as, self.seen

    @property
    def answer_modes(self) -> Mapping[str, AnswerMode]:
        """How it answers each task, where that is not free text."""
        return {}

    @property
    def learns(self) -> bool:
        """Whether it is fine-tuned here first."""
        return False

    def oracles(self, study: "Study") -> Mapping[str, str]:
        return {}

    def content(self, context: "Context") -> Mapping[str, Any]:
        return {"reading": READING_VERSION, **self._told(context)}

    def _told(self, context: "Context") -> Mapping[str, Any]:
        """What the prompts state of each patient. Raises ModelError for a column that the cohort's table has not."""
        told, subjects = self.view.told, context.subjects.values()
        if fault := unknown_column(told, [subject.variables for subject in subjects]):
            raise ModelError(f"{self.name}: view.told: {fault}")
        stated = {one.id: [one.variables.get(name) for name in told] for one in subjects}
        return {"told": stated} if told else {}

    def remarks(self) -> tuple[str, ...]:
        family = known_family(self.known_as)
        places = any(TASKS[task].in_coordinates for task in self.tasks)
        if family is None or self.learns or not self.view.coordinates.as_asked or not places:
            return ()
        return (
            f"{self.name}: {family} was trained to count places in its own way ({FAMILIES[family].words}), and its "
            "answers are read as the prompts ask, in whole pixels, row first. If its answers are in its own, declare "
            f"`view: {{coordinates: {family}}}`.",
        )

    @property
    def built_each_round(self) -> bool:
        return self.learns or self.shots > 0

    @property
    def leaves_validation_out(self) -> bool:
        return self.shots > 0

    @property
    def spoken_tasks(self) -> tuple[str, ...]:
        return self.tasks

    @property
    def picture(self) -> View:
        return self.view.to_view(self.problem)

    def check(self, study: "Study") -> None:
        if self.prompts and is_about_gliomas(self.prompts) and study.problem.classes != GLIOMA.classes:
            raise ValueError(
                f"{self.name}: prompts: {self.prompts} asks about {GLIOMA.name}, and this study is about "
                f"{study.problem.name}: leave `prompts` out, or write your own"
            )

    def prompts_of(self, region: Region) -> Mapping[str, Prompt]:
        own = self.prompts is None and region.whole and self.problem.prompts == GLIOMA.prompts
        asked = [task for task in self.tasks if task != plain(task)] if own else self.tasks
        return {task: self.prompt_of(task, region) for task in asked}

    def prompt_of(self, task: str, region: Region) -> Prompt:
        """The prompt of a task in a study of a region. Raises PromptError."""
        asked = task_about(self.problem, task)
        if self.prompts is None:
            return asked.prompt_about(region)
        return read_prompt_file(self.prompts, plain(task)).of(asked.own_region or region, self.problem)

    def region_notes(self, study: "Study") -> Iterator[str]:
        if self.prompts is None:
            return
        asked = [task for task in study.tasks if task in self.tasks and TASKS[task].has_place]
        held = {task: task_about(study.problem, task).own_region or study.asked_region for task in asked}
        prompts = {task: read_prompt_file(self.prompts, plain(task)).text for task in asked if not held[task].whole}
        silent = [task for task, text in prompts.items() if REGION not in text]
        for title in dict.fromkeys(held[task].title for task in silent):
            named = ", ".join(task for task in silent if held[task].title == title)
            yield (
                f"{self.name}: its prompts for {named} name no region ({REGION} is not in them), and what "
                f"they are answered with is scored against the {title}."
            )

    def seeded(self, number: int) -> Self | None:
        drawn = any(self.samples(task) for task in self.tasks)
        return self.model_copy(update={"seed": self.seed + number}) if drawn else None

    def varied(self, key: Literal["prompts", "view"], value: Any) -> Self | None:
        return None if self.learns else self.model_copy(update={key: value}).about(self.problem)

    def decoding(self) -> "Decoding":
        """How its answers are drawn."""
        from gliobench.models.language.decoding import Decoding

        return Decoding(self.temperature, self.top_p, self.min_p, self.seed, self.max_new_tokens, self.top_k)

    def by_choice(self, task: str) -> bool:
        """Whether nothing is written: the answer is the most probable of a few."""
        return self.answer_modes.get(task) == "choice"

    def samples(self, task: str) -> bool:
        return self.temperature > 0 and not self.by_choice(task)

    def sampling_words(self, task: str) -> str:
        if self.by_choice(task):
            return "the most probable choice"
        if not self.samples(task):
            return "greedy (temperature 0)"
        most = f"top_k {self.top_k}, " if self.top_k else ""
        return f"temperature {self.temperature:g}, {most}top_p {self.top_p:g}, min_p {self.min_p:g}, seed {self.seed}"

    @property
    def aggregation(self) -> Aggregate:
        return self.aggregate

    @property
    def asked_elsewhere_fault(self) -> str | None:
        return "`shots` shows slices of other patients, which no file of questions holds" if self.shots else None

    def notes(self) -> Iterator[str]:
        how = "greedy" if self.temperature == 0 else f"sampled at temperature {self.temperature:g}, seed {self.seed}"
        view = self.picture.identity
        shown = f", {view['modality']} slices one by one" + (f" as {view['view']}" if "view" in view else "")
        shown += f", coordinates {view['coordinates']}" if "coordinates" in view else ""
        shown += f", told {', '.join(self.view.told)} of the patient" if self.view.told else ""
        shots = f", each after {self.shots} slices of training patients with their true answers" if self.shots else ""
        modes = [
            f"; {task_words(task, self.problem)}: {mode}" for task, mode in self.answer_modes.items() if mode != "free"
        ]
        yield f"{self.name}: {self.source_words}{shown}{shots}, decoding {how}{''.join(modes)}"
        yield from self.remarks()

    def _check_convention(self, written: Sequence[str]) -> None:
        """Raise ValueError where a model that counts in its own way is held to answers in pixels, row first."""
        written = ["shots", *written] if self.shots else written
        if written and not self.view.coordinates.as_asked:
            raise ValueError(
                f"view.coordinates: {', '.join(written)} has answers in whole pixels, row first: leave out one of the "
                "two"
            )
