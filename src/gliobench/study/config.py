"""A study file: what is compared on which patients. YAML in, one validated `Study` out."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from gliobench.errors import GliobenchError
from gliobench.grid.frame import Plane
from gliobench.grid.splits import Split
from gliobench.models.baselines import BASELINES
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.language_parts import LanguageModel, ServerModel, learns_aggregate
from gliobench.study.lines import key_lines
from gliobench.study.network_parts import ClassicalModel, NetworkModel, NnUNetModel, TogetherModel, check_by, mask_model
from gliobench.study.part import Name, Part, TaskName
from gliobench.study.vision_parts import TRUTH, EncoderModel, SegmenterModel

PATH_KEYS = ("prompts", "weights", "start", "python", "answers", "masks")  # of models: taken from the file's folder
Share = Annotated[float, Field(gt=0, lt=1)]


class GridPart(Part):
    """The common grid. `tumour` uses the truth to place it (an oracle); `stored` keeps z-scored voxels as they are."""

    preset: Literal["brain", "study", "tumour", "stored"] = "brain"
    shape: tuple[int, int, int] = (95, 128, 128)


class SplitPart(Part):
    """By patient, stratified by grade; or read from `file` (JSON written by `gliobench split`, or the study's NPZ),
    which has a scheme and folds of its own.

    `holdout`: `test_share` of the patients is tested, fold `fold` of the others decides; with `fold: all` a network
    learns from each fold and they answer together. `cross-validation`: each of the folds (or the one named) is tested
    by models that learnt from the others; `validation_share` of those decides. `exclude`: cohorts whose patients, by
    id, are in no part of the split, because they will be tested elsewhere.
    """

    scheme: Literal["holdout", "cross-validation"] = "holdout"
    test_share: Share = 0.3
    validation_share: Share = 0.15
    folds: int = Field(default=5, ge=2)
    fold: Annotated[int, Field(ge=0)] | Literal["all"] | None = None
    seed: int = 0
    file: Path | None = None
    exclude: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.file is None and isinstance(self.fold, int) and self.fold >= self.folds:  # a file has folds of its own
            raise ValueError(f"fold {self.fold} of {self.folds}: folds are counted from 0")
        return self

    def numbers(self, split: Split) -> tuple[int, ...]:
        """The folds in use of a split: all of a cross-validation's, the first of a hold-out's, where none is named."""
        if self.fold == "all" or (self.fold is None and split.crossed):
            return tuple(range(len(split.folds)))
        return (self.fold or 0,)


class SlicesPart(Part):
    """Which slices a slice-by-slice model is asked about. `oracle` uses the truth: from the first tumour slice to the
    last; `brain`: every slice with brain; `predicted`: every slice of the tumour that the model `by` found."""

    planes: tuple[Plane, ...] = ("axial",)
    select: Literal["oracle", "brain", "predicted"] = "oracle"
    every: int = Field(default=1, ge=1)
    min_area_px: int = Field(default=1, ge=1)
    by: Name | None = None

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        check_by("select", self.select, self.by)
        return self


class ConsistencyPart(Part):
    """One slice of each of `subjects` test patients is put `repeats` times to every language model that samples."""

    repeats: int = Field(default=20, ge=2)
    subjects: int = Field(default=4, ge=1)
    task: TaskName = "grade"


class BaselineModel(Part):
    """A trivial baseline of `gliobench.models.baselines`; its name is its entry there."""

    kind: Literal["baseline"]
    name: Name

    @model_validator(mode="after")
    def _the_baseline_is_known(self) -> Self:
        if self.name not in BASELINES:
            raise ValueError(f"no baseline is named {self.name!r}; there are {', '.join(BASELINES)}")
        return self


AnyModel = Annotated[
    BaselineModel
    | ClassicalModel
    | NetworkModel
    | NnUNetModel
    | TogetherModel
    | LanguageModel
    | ServerModel
    | SegmenterModel
    | EncoderModel
    | ReplayModel,
    Field(discriminator="kind"),
]


class Study(Part):
    """A whole study."""

    name: Name
    cohort: Path | None = None
    grid: GridPart = GridPart()
    split: SplitPart = SplitPart()
    slices: SlicesPart = SlicesPart()
    tasks: tuple[TaskName, ...] = ("grade", "centre", "box", "polygon", "mask")
    consistency: ConsistencyPart | None = None
    models: tuple[AnyModel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"models: {', '.join(twice)} stands there twice; every model needs a name of its own")
        named = {"slices.by": self.slices.by} | {f"{part.name}: by": mask_model(part) for part in self.models}
        together = [part for part in self.models if isinstance(part, TogetherModel)]
        named |= {f"{part.name}: of {one}": one for part in together for one in part.of}
        for place, name in named.items():
            if name is not None and name not in names:
                raise ValueError(f"{place}: no model is named {name!r}; there are {', '.join(names)}")
        if nested := {part.name for part in together} & {one for part in together for one in part.of}:
            raise ValueError(f"{', '.join(sorted(nested))}: models that answer together cannot be members of others")
        learning = [model.name for model in self.models if learns_aggregate(model)]
        if learning and self.slices.select == "predicted":
            raise ValueError(
                f"models: {', '.join(learning)}: aggregate: learned asks about slices of validation patients too, and "
                "`select: predicted` finds slices of test patients only; select oracle or brain"
            )
        for part in self.models:
            taught = part.finetune.tasks or part.tasks if isinstance(part, LanguageModel) and part.finetune else ()
            if taught and not set(taught) & set(self.tasks):
                raise ValueError(f"{part.name}: finetune learns {', '.join(taught)}, none of which is in `tasks`")
        if self.consistency is not None and self.consistency.task not in self.tasks:
            raise ValueError(
                f"consistency.task: {self.consistency.task} is not one of the tasks {', '.join(self.tasks)}"
            )
        return self

    @model_validator(mode="after")
    def _prompts_have_a_source(self) -> Self:
        models = {model.name: model for model in self.models}
        for part in (model for model in self.models if isinstance(model, SegmenterModel)):
            if part.source == TRUTH:
                continue
            if part.source not in models:
                raise ValueError(
                    f"{part.name}: from: no model is named {part.source!r}; there are {', '.join(models)}, and {TRUTH}"
                )
            source = models[part.source]
            if isinstance(source, SegmenterModel | ClassicalModel | EncoderModel):
                raise ValueError(f"{part.name}: from: {source.name} is a {source.kind}, whose answers are no prompts")
            asked = set(self.tasks) & set(getattr(source, "tasks", self.tasks))
            if not asked & set(part.usable_tasks):
                raise ValueError(
                    f"{part.name}: from: {source.name} is not asked for {' or '.join(part.usable_tasks)}, from which "
                    f"a {part.prompt} follows; add one to `tasks`"
                )
        return self


def shown_the_truth(study: Study, part: Part) -> bool:
    """Whether the truth says where a model looks: an oracle."""
    if isinstance(part, TogetherModel):
        return any(shown_the_truth(study, one) for one in study.models if one.name in part.of)
    if isinstance(part, NetworkModel):
        return part.crop is not None and part.crop.around == "truth"
    return isinstance(part, ClassicalModel) and part.region == "truth"


class StudyError(GliobenchError, ValueError):
    """A study file that cannot be used; the message names the key and the line of every mistake."""


def read_study(path: Path) -> Study:
    """Read and validate a study file. Paths in it are taken from where the file lies. Raises StudyError."""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        lines = key_lines(text)
    except FileNotFoundError as error:
        raise StudyError(f"{path}: no such study file; the package's own are in the folder studies/") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{path}: not a readable YAML file: {error}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path}: expected keys such as `name:` and `models:`, found {type(content).__name__}")
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError("\n".join(mistake(path, lines, detail) for detail in error.errors())) from None
    return _resolve_paths(study, path.parent)


def with_fold(study: Study, fold: str | None) -> Study:
    """The study with another choice of folds: "all", or the number of one. Raises StudyError for anything else."""
    if fold is None:
        return study
    part = study.split
    if fold != "all" and not fold.isdecimal():
        raise StudyError(f"--fold {fold}: expected all, or a number")
    if fold != "all" and part.file is None and int(fold) >= part.folds:
        raise StudyError(f"--fold {fold}: expected all, or a number from 0 to {part.folds - 1}")
    chosen = fold if fold == "all" else int(fold)
    return study.model_copy(update={"split": study.split.model_copy(update={"fold": chosen})})


def mistake(path: Path, lines: dict[tuple[str | int, ...], int], detail: Any) -> str:
    """One mistake as `file:line: key: what is wrong (found ...)`."""
    whole = detail["loc"]
    kinds = {place for place in range(2, len(whole)) if whole[place - 2] == "models"}  # models, number, kind, key
    location = tuple(part for place, part in enumerate(whole) if place not in kinds)
    known = location
    while known and known not in lines:
        known = known[:-1]
    found = detail.get("input")
    unknown = detail["type"] == "extra_forbidden"
    secret = unknown or location[-1:] == ("key_env",)  # people write a key where its variable's name belongs
    shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) and not secret else ""
    key = ".".join(str(part) for part in location) or "study"
    message = "unknown key" if unknown else detail["msg"].removeprefix("Value error, ")
    return f"{path}:{lines.get(known, 1)}: {key}: {message}{shown}"


def _resolve_paths(study: Study, folder: Path) -> Study:
    models = []
    for model in study.models:
        paths = {key: getattr(model, key, None) for key in PATH_KEYS}
        models.append(model.model_copy(update={key: folder / path for key, path in paths.items() if path}))
    split = study.split
    split = split.model_copy(
        update={
            "file": folder / split.file if split.file else None,
            "exclude": tuple(folder / path for path in split.exclude),
        }
    )
    cohort = folder / study.cohort if study.cohort else None
    return study.model_copy(update={"models": tuple(models), "split": split, "cohort": cohort})
