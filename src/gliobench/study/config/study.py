"""A study file: what is compared on which patients. YAML in, one validated `Study` out."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeVar, Union

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator

from gliobench.cohort.problem import GLIOMA
from gliobench.errors import GliobenchError
from gliobench.grid.frame import Planes
from gliobench.grid.regions import WHOLE_KEY, Region, regions_of
from gliobench.ranges import Count, SizeVoxels, Text, Whole, once
from gliobench.scoring.camps import CAMPS
from gliobench.scoring.human import READERS
from gliobench.study.config.sensitivity import SensitivityConfig
from gliobench.study.kinds import KINDS
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.base import Config, Name, Outside, WholeFile, check_by
from gliobench.study.parts.controls import Controls
from gliobench.study.parts.learning_curve import LearningCurveConfig
from gliobench.study.parts.neutral import InAnyWords
from gliobench.study.parts.paths import resolved
from gliobench.study.parts.prices import PricesConfig
from gliobench.study.parts.problem import ProblemConfig
from gliobench.study.parts.region import ALL_OF_IT, RegionConfig, as_asked
from gliobench.study.parts.split import SplitConfig
from gliobench.tasks.grade import GRADE
from gliobench.tasks.names import TaskName, Tasks
from gliobench.tasks.prompt_file import named_prompts
from gliobench.tasks.registry import DEFAULT_TASKS, plain, task_about
from gliobench.yaml_file import Location, YamlFile, YamlFileError, read_yaml

if TYPE_CHECKING:
    pass

SHOWN = 80  # characters of what was found, in a message
STUDY_SHAPE = (95, 128, 128)  # of the reference study's patients
MOST_VOXELS = 512**3  # of a patient on the grid: 0.7 GB with four modalities and labels


class GridConfig(Config):
    """The common grid. `tumour` (or `target`) uses the truth to place it (an oracle); `stored` keeps z-scored voxels as
    they are; `brain` (or `foreground`) is fitted to what is not background.

    `windows`: the folder of the reference study's raw answers about centres. With `preset: study`, the grid of its test
    patients is then the window that it cut at random, as far as these answers tell; who has none is left out.
    """

    LATER: ClassVar = frozenset({"windows"})

    preset: Annotated[Literal["brain", "study", "tumour", "stored"], InAnyWords] = "brain"
    shape: tuple[SizeVoxels, SizeVoxels, SizeVoxels] = STUDY_SHAPE
    windows: Outside | None = None

    @field_validator("shape")
    @classmethod
    def _fits_memory(cls, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        if prod(shape) > MOST_VOXELS:
            raise ValueError(f"{prod(shape)} voxels per patient; expected at most {MOST_VOXELS}")
        return shape

    @model_validator(mode="after")
    def _windows_are_of_the_study(self) -> Self:
        if self.windows is not None and (self.preset, self.shape) != ("study", STUDY_SHAPE):
            raise ValueError(f"windows are those of `preset: study` and `shape: {list(STUDY_SHAPE)}`: give these")
        return self


class SlicesConfig(Config):
    """Which slices a slice-by-slice model is asked about. `oracle` uses the truth: from the first slice with the target
    to the last; `brain` (or `foreground`): every slice that is not background; `predicted`: every slice of the target
    that the model `by` found; `external`: of each task those that all recorded answers to it are about (a class: a
    model's own). `trim`: how many slices are left out at either end of these.
    """

    LATER: ClassVar = frozenset({"trim"})

    planes: Planes = ("axial",)
    select: Annotated[Literal["oracle", "brain", "predicted", "external"], InAnyWords] = "oracle"
    every: Annotated[Whole, Field(ge=1, le=1024)] = 1
    min_area_px: Count = 1
    trim: Annotated[Whole, Field(ge=0, le=1024)] = 0
    by: Name | None = None

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("select", self.select, self.by)
        if self.select == "external" and (self.every, self.min_area_px, self.trim) != (1, 1, 0):
            raise ValueError(
                "select: external asks about the slices that were answered: leave out every, min_area_px, trim"
            )
        return self


class ConsistencyConfig(Config):
    """One slice of each of `subjects` test patients is put `repeats` times to every language model that samples."""

    repeats: Annotated[Whole, Field(ge=2, le=10_000)] = 20
    subjects: Count = 4
    task: TaskName = GRADE.name


if TYPE_CHECKING:
    AnyModel = ModelConfig
else:
    AnyModel = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007, made from a tuple


class Study(WholeFile):
    """A whole study. `problem`: its images, classes and target. `region`: the part of the target whose centre, box,
    polygon and mask are asked for. `subgroups`: columns of the cohort's table by which the report groups patients.
    `controls`: questions about changed images, which show whether a model looks.
    `learning_curve`: what the models do with fewer training patients. `sensitivity`: language models asked in other
    words, or shown other views. `seeds`: with how many seeds each model that
    draws anything is trained and asked. `comparisons`: the planned comparisons, each a
    pair of camps or models, its first minus its second; by default every camp against every other, and each general
    model against its own fine-tuned version. `prices`: what hours and tokens cost."""

    LATER: ClassVar = frozenset({"region", "problem", "subgroups", "comparisons", "prices", "controls"}) | frozenset(
        {"learning_curve", "seeds", "sensitivity"}
    )

    name: Name
    cohort: Outside | None = None
    problem: ProblemConfig = GLIOMA
    region: RegionConfig = ALL_OF_IT
    grid: GridConfig = GridConfig()
    split: SplitConfig = SplitConfig()
    slices: SlicesConfig = SlicesConfig()
    tasks: Tasks = DEFAULT_TASKS
    consistency: ConsistencyConfig | None = None
    controls: Controls = None
    subgroups: Annotated[tuple[Text, ...], AfterValidator(once)] = ()
    learning_curve: LearningCurveConfig | None = None
    sensitivity: SensitivityConfig | None = None
    seeds: Annotated[Whole, Field(ge=2, le=20)] | None = None
    comparisons: tuple[tuple[Text, Text], ...] | None = None
    prices: PricesConfig | None = None
    models: tuple[AnyModel, ...] = Field(min_length=1)
    _numbers: tuple[int, ...] = PrivateAttr(())  # in the file, of each model where entries stand for several

    def with_entries(self) -> Self:
        """The study with all models that its entries stand for. Raises ValueError as the study does."""
        found = [(number, model) for number, entry in enumerate(self.models) for model in entry.entries()]
        study = self.model_copy(update={"models": tuple(model for _, model in found)})
        study._numbers = tuple(number for number, _ in found)
        study.check_models()
        return study

    def place(self, *location: str | int) -> str:
        match location:
            case ("models", int(number), *rest) if number < len(self._numbers):
                return super().place("models", self._numbers[number], *rest)
        return super().place(*location)

    @model_validator(mode="after")
    def _is_about_its_problem(self) -> Self:
        problem = self.problem
        region = self.region.to_region(problem)
        if not problem.classes and "tasks" in self.model_fields_set and GRADE.name in self.tasks:
            raise ValueError(f"tasks: {GRADE.name} is asked for, and the problem {problem.name} has no classes")
        try:
            named = once(tuple(as_asked(task, problem, region) for task in self.tasks))
        except ValueError as error:
            raise ValueError(f"tasks: {error}") from None
        tasks = tuple(task for task in named if problem.classes or task != GRADE.name)
        regional = [task for task in tasks if task != plain(task)]
        models = tuple(model.about(problem).asked(regional, region).priced(self.prices) for model in self.models)
        vars(self).update(models=models, tasks=tasks)
        if self.consistency is not None:
            again = as_asked(self.consistency.task, problem, region)
            vars(self).update(consistency=self.consistency.model_copy(update={"task": again}))
        return self

    @model_validator(mode="after")
    def _models_fit(self) -> Self:
        self.check_models()
        return self

    def check_models(self) -> None:
        """Raise ValueError where models do not fit each other or the rest of the study."""
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"models: {', '.join(twice)} is duplicated; every model needs a name of its own")
        if READERS in names:
            raise ValueError(f"models: {READERS} is the row of human readers in tables; give the model another name")
        if alike := sorted({name for name in names if [one.lower() for one in names].count(name.lower()) > 1}):
            raise ValueError(f"models: {' and '.join(alike)} differ only in case, which not every file system keeps")
        named = {"slices.by": self.slices.by} | {f"{part.name}: by": part.masks_by for part in self.models}
        for place, name in named.items():
            if name is not None and name not in names:
                raise ValueError(f"{place}: no model is named {name!r}; there are {', '.join(names)}")
        learning = [model.name for model in self.models if model.learns_aggregate]
        if learning and self.slices.select == "predicted":
            raise ValueError(
                f"models: {', '.join(learning)}: aggregate: learned asks about slices of validation patients too, and "
                "`select: predicted` finds slices of test patients only; select oracle or "
                f"{self.problem.foreground}"
            )
        if self.slices.select == "external":
            if not any(part.replayed for part in self.models):
                raise ValueError("slices: select: external needs an entry `kind: replay` with `answers`")
            if learning:
                raise ValueError(
                    f"models: {', '.join(learning)}: aggregate: learned asks about slices of validation patients too, "
                    "and recorded answers are about test patients; select oracle or "
                    f"{self.problem.foreground}"
                )
        if self.consistency is not None and self.consistency.task not in self.tasks:
            raise ValueError(
                f"consistency.task: {self.consistency.task} is not one of the tasks {', '.join(self.tasks)}"
            )
        for part in self.models:
            part.check(self)

    @model_validator(mode="after")
    def _compares_what_there_is(self) -> Self:
        names = [*(model.name for model in self.models), *CAMPS]
        for a, b in self.comparisons or ():
            if unknown := [side for side in (a, b) if side not in names]:
                raise ValueError(
                    f"comparisons: no model and no camp is named {unknown[0]!r}; there are {', '.join(names)}"
                )
            if a == b:
                raise ValueError(f"comparisons: {a} is compared with itself")
            if twice := [side for side in (a, b) if names.count(side) > 1]:
                raise ValueError(f"comparisons: {twice[0]} is a camp and a model: give the model another name")
        return self

    @model_validator(mode="after")
    def _networks_find_the_region_alone(self) -> Self:
        if self.tell_parts and not self.asked_region.whole:
            raise ValueError(
                f"models: {', '.join(self.tell_parts)}: regions: brats tells the parts of the "
                f"{regions_of(self.problem)[WHOLE_KEY].title} apart, and this study asks about the "
                f"{self.asked_region.title} alone: leave `regions` out, and it learns this region"
            )
        return self

    def on_validation(self, model: ModelConfig, task: str) -> bool:
        """Whether a model is asked about validation patients too: not where other answers choose the slices, for those
        are about test patients."""
        return model.asked_on_validation(task) and self.slices.select in ("oracle", "brain")

    @property
    def tell_parts(self) -> list[str]:
        """The models that tell the parts of the whole tumour apart."""
        return [part.name for part in self.models if getattr(part, "regions", "whole") != "whole"]

    @property
    def tumour_word(self) -> str:
        """The tumour, or the region of it that is asked about."""
        return self.problem.finding_words if self.asked_region.whole else self.asked_region.title

    @property
    def regional(self) -> dict[str, Region]:
        """The tasks that are asked of a region of their own, with it."""
        own = {task: task_about(self.problem, task).own_region for task in self.tasks}
        return {task: region for task, region in own.items() if region is not None}

    @property
    def asked_region(self) -> Region:
        """What of the tumour is asked about."""
        return self.region.to_region(self.problem)


class StudyError(GliobenchError, ValueError):
    """A study file that cannot be used; the message names the key and the line of every mistake."""


def read_study(path: Path) -> Study:
    """Read and validate a study file. Paths in it are taken from where the file lies. Raises StudyError."""
    study = _resolve_paths(read_whole(path, Study), path.parent)
    try:
        return study.with_entries()
    except ValueError as error:
        raise StudyError(f"{study.place('models')}: {error}") from None


F = TypeVar("F", bound=WholeFile)


def read_whole(path: Path, kind: type[F]) -> F:
    """A study file as the model that it fits. Raises StudyError with a line for every mistake."""
    file = read_file(path)
    if not isinstance(file.content, dict):
        found = "nothing" if file.content is None else f"a {type(file.content).__name__}"
        raise StudyError(f"{path}:1: expected keys such as `name:` and `models:`, found {found}")
    try:
        study = kind.model_validate(file.content)
    except ValidationError as error:
        raise StudyError("\n".join(mistake(path, file.lines, detail) for detail in error.errors())) from None
    study.read_from(path, file.lines)
    return study


def read_file(path: Path) -> YamlFile:
    """What a study file says, before it is known of what kind it is. Raises StudyError."""
    try:
        return read_yaml(path)
    except FileNotFoundError as error:
        raise StudyError(f"{path}: no such study file; the package's own are in the folder studies/") from error
    except YamlFileError as error:
        raise StudyError(str(error)) from None


def with_fold(study: Study, fold: str | None) -> Study:
    """The study with another choice of folds: "all", or the number of one. Raises StudyError for anything else."""
    if fold is None:
        return study
    part = study.split
    if fold != "all" and not (fold.isascii() and fold.isdecimal() and len(fold) < 10):
        raise StudyError(f"--fold {fold}: expected all, or a number")
    if fold != "all" and part.counts_folds and int(fold) >= part.folds:
        raise StudyError(f"--fold {fold}: expected all, or a number from 0 to {part.folds - 1}")
    chosen = fold if fold == "all" else int(fold)
    return study.model_copy(update={"split": study.split.model_copy(update={"fold": chosen})})


def mistake(path: Path, lines: Mapping[Location, int], detail: Any) -> str:
    """One mistake as `file:line: key: what is wrong (found ...)`."""
    whole = detail["loc"]
    kinds = {place for place in range(2, len(whole)) if whole[place - 2] == "models"}  # models, number, kind, key
    location = tuple(part for place, part in enumerate(whole) if place not in kinds)
    known = location
    while known and known not in lines:
        known = known[:-1]
    found = detail.get("input")
    unknown = detail["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    secret = unknown or location[-1:] == ("key_env",)  # people write a key where its variable's name belongs
    shown = f" (found {_short(repr(found))})" if isinstance(found, str | int | float | bool) and not secret else ""
    key = ".".join(str(part) for part in location) or "study"
    message = "unknown key" if unknown else detail["msg"].removeprefix("Value error, ")
    return f"{path}:{lines.get(known, 1)}: {key}: {message}{shown}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _resolve_paths(study: Study, folder: Path) -> Study:
    models = [model.resolved(folder) for model in study.models]
    split = study.split
    split = split.model_copy(
        update={
            "file": resolved(folder, split.file) if split.file else None,
            "exclude": tuple(resolved(folder, path) for path in split.exclude),
        }
    )
    windows = resolved(folder, study.grid.windows) if study.grid.windows else None
    grid = study.grid.model_copy(update={"windows": windows})
    cohort = resolved(folder, study.cohort) if study.cohort else None
    sensitivity = study.sensitivity
    if sensitivity is not None:
        prompts = tuple(named_prompts(path) or resolved(folder, path) for path in sensitivity.prompts)
        sensitivity = sensitivity.model_copy(update={"prompts": prompts})
    return study.model_copy(
        update={"models": tuple(models), "split": split, "grid": grid, "cohort": cohort, "sensitivity": sensitivity}
    )
