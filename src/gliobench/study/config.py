"""A study file: what is compared on which patients. YAML in, one validated `Study` out."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gliobench.grid.frame import Plane
from gliobench.study.lines import key_lines

TaskName = Literal["grade", "centre", "box", "polygon", "mask"]
Share = Annotated[float, Field(gt=0, lt=1)]
UNTRAINED_CHECKPOINT = "tiny-mllama"  # random weights, made on the spot
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Part(BaseModel):
    """A part of a study file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GridPart(Part):
    """The common grid. `tumour` uses the truth to place it (an oracle); `stored` keeps z-scored voxels as they are."""

    preset: Literal["brain", "study", "tumour", "stored"] = "brain"
    shape: tuple[int, int, int] = (95, 128, 128)


class SplitPart(Part):
    """By patient, stratified by grade; or read from `file` (JSON written by `gliobench split`, or the study's NPZ)."""

    test_share: Share = 0.3
    folds: int = Field(default=5, ge=2)
    fold: int = Field(default=0, ge=0)
    seed: int = 0
    file: Path | None = None

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}: folds are counted from 0")
        return self


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
        if (self.select == "predicted") != (self.by is not None):
            raise ValueError(
                "`by` names the model whose masks choose the slices: give it with `select: predicted` only"
            )
        return self


class BaselineModel(Part):
    """A trivial baseline of `gliobench.models.baselines`; its name is its entry there."""

    kind: Literal["baseline"]
    name: Name


class TrainPart(Part):
    """How a network learns; see `gliobench.training.fit.TrainSettings`."""

    epochs: int = Field(default=40, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=1, ge=1)
    patience: int = Field(default=10, ge=1)
    oversample: bool = True
    seed: int = 0


class NetworkModel(Part):
    """A 3D network of `gliobench.models.networks`, trained on the training patients of the fold."""

    kind: Literal["network"]
    name: Name
    network: Name
    train: TrainPart = TrainPart()


class ClassicalModel(Part):
    """Features by hand and scikit-learn, fitted on the training patients of the fold: the classical grade baseline.

    `region`: where it looks: the whole prepared `crop`, its `brain`, or the true tumour (`truth`, an oracle).
    """

    kind: Literal["classical"]
    name: Name
    region: Literal["crop", "brain", "truth"] = "brain"


class LanguageModel(Part):
    """A vision-language model: a folder, a hub id, or `tiny-mllama` (random weights of the real architecture)."""

    kind: Literal["vlm"]
    name: Name
    checkpoint: str
    revision: str | None = None
    tasks: tuple[TaskName, ...] = ("grade", "centre", "box", "polygon")
    modality: Literal["flair", "t1", "t1ce", "t2"] = "flair"
    batch_size: int = Field(default=16, ge=1)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    prompts: Path | None = None
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint == UNTRAINED_CHECKPOINT and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self


AnyModel = Annotated[BaselineModel | ClassicalModel | NetworkModel | LanguageModel, Field(discriminator="kind")]


class Study(Part):
    """A whole study."""

    name: Name
    cohort: Path | None = None
    grid: GridPart = GridPart()
    split: SplitPart = SplitPart()
    slices: SlicesPart = SlicesPart()
    tasks: tuple[TaskName, ...] = ("grade", "centre", "box", "polygon", "mask")
    models: tuple[AnyModel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique_and_known(self) -> Self:
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"models: {', '.join(twice)} stands there twice; every model needs a name of its own")
        if self.slices.by is not None and self.slices.by not in names:
            raise ValueError(f"slices.by: no model is named {self.slices.by!r}; there are {', '.join(names)}")
        return self


class StudyError(ValueError):
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
        raise StudyError("\n".join(_mistake(path, lines, detail) for detail in error.errors())) from error
    return _resolve_paths(study, path.parent)


def _mistake(path: Path, lines: dict[tuple[str | int, ...], int], detail: Any) -> str:
    """One mistake as `file:line: key: what is wrong (found ...)`."""
    location = tuple(part for part in detail["loc"] if part not in ("baseline", "classical", "network", "vlm"))
    known = location
    while known and known not in lines:
        known = known[:-1]
    found = detail.get("input")
    shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) else ""
    key = ".".join(str(part) for part in location) or "study"
    message = "unknown key" if detail["type"] == "extra_forbidden" else detail["msg"].removeprefix("Value error, ")
    return f"{path}:{lines.get(known, 1)}: {key}: {message}{shown}"


def _resolve_paths(study: Study, folder: Path) -> Study:
    models = tuple(
        model.model_copy(update={"prompts": folder / model.prompts})
        if isinstance(model, LanguageModel) and model.prompts
        else model
        for model in study.models
    )
    split = study.split
    if split.file is not None:
        split = split.model_copy(update={"file": folder / split.file})
    cohort = folder / study.cohort if study.cohort else None
    return study.model_copy(update={"models": models, "split": split, "cohort": cohort})
