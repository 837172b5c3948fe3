"""A study file: what is compared on which patients. YAML in, one validated `Study` out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from gliobench.grid.frame import Plane
from gliobench.models.answer_modes import AnswerMode, mode_fault
from gliobench.models.quantised import Quantisation
from gliobench.models.views.view import View
from gliobench.study.lines import key_lines
from gliobench.study.part import Name, Part, TaskName
from gliobench.study.vision_parts import TRUTH, EncoderModel, SegmenterModel

Share = Annotated[float, Field(gt=0, lt=1)]
Aggregate = Literal["majority", "mean-probability", "learned"]  # see `gliobench.scoring.aggregate`
UNTRAINED_CHECKPOINT = "tiny-mllama"  # random weights, made on the spot


def _check_by(key: str, choice: str, by: str | None) -> None:
    if (choice == "predicted") != (by is not None):
        raise ValueError(f"`by` names the model whose masks are looked at: give it with `{key}: predicted` only")


class GridPart(Part):
    """The common grid. `tumour` uses the truth to place it (an oracle); `stored` keeps z-scored voxels as they are."""

    preset: Literal["brain", "study", "tumour", "stored"] = "brain"
    shape: tuple[int, int, int] = (95, 128, 128)


class SplitPart(Part):
    """By patient, stratified by grade; or read from `file` (JSON written by `gliobench split`, or the study's NPZ).

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
        if isinstance(self.fold, int) and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} of {self.folds}: folds are counted from 0")
        return self

    def numbers(self, folds: int) -> tuple[int, ...]:
        """The folds in use, of a split that has `folds`."""
        if self.fold == "all" or (self.fold is None and self.scheme == "cross-validation"):
            return tuple(range(folds))
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
        _check_by("select", self.select, self.by)
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


class TrainPart(Part):
    """How a network learns, where it departs from its recipe; see `gliobench.training.settings.TrainSettings`."""

    epochs: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    schedule: Literal["constant", "cosine", "poly"] | None = None
    warmup_epochs: int | None = Field(default=None, ge=0)
    weight_decay: float | None = Field(default=None, ge=0)
    clip_norm: float | None = Field(default=None, ge=0)
    ema: float | None = Field(default=None, ge=0, lt=1)
    loss: Literal["dice", "dice-bce"] | None = None
    augment: bool | None = None
    balance_grades: bool | None = None
    patch: tuple[int, int, int] | None = None
    validate_every: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    devices: int | None = Field(default=None, ge=1)
    seed: int | None = None


class CropPart(Part):
    """A box of `shape` (D, H, W) voxels of the grid around a tumour: the one that the model `by` found in a patient it
    did not learn from, or with `around: truth` the true one (an oracle)."""

    around: Literal["predicted", "truth"] = "predicted"
    by: Name | None = None
    shape: tuple[int, int, int]

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        _check_by("around", self.around, self.by)
        return self


class NetworkModel(Part):
    """A 3D network of `gliobench.models.networks`.

    It learns from the training patients of each fold in use; or, with `weights`, it was trained before: the folder of
    one network, or of several that answer together, such as `runs/other/networks/segresnet`. `start` is the folder of a
    trained network to learn on from. `regions: brats` tells tumour core and enhancing tumour apart. `crop`, for grades
    only: it sees a box around the tumour. With `sweep` a network is trained for each of the choices, and the one that
    is best on the validation patients answers: no choice is made on the test patients, who are not opened before.
    `log`: where else the curves go (`curves.csv` is always written); each needs its own package.
    """

    kind: Literal["network"]
    name: Name
    network: Name
    regions: Literal["whole", "brats"] = "whole"
    train: TrainPart = TrainPart()
    sweep: tuple[TrainPart, ...] = ()
    log: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
    crop: CropPart | None = None
    weights: Path | None = None
    start: Path | None = None


class NnUNetModel(Part):
    """nnU-Net v2 by its own planning, training and prediction; `planner`, `configuration` and `trainer` are its names.

    `python`: an interpreter that has nnU-Net, where ours has not.
    """

    kind: Literal["nnunet"]
    name: Name
    regions: Literal["whole", "brats"] = "whole"
    planner: str = "ExperimentPlanner"
    configuration: Literal["2d", "3d_fullres", "3d_lowres"] = "3d_fullres"
    trainer: str = "nnUNetTrainer"
    epochs: int = Field(default=1000, ge=1)
    iterations: int = Field(default=250, ge=1)
    python: Path | None = None


class ClassicalModel(Part):
    """Features by hand and scikit-learn, fitted on the training patients of the fold: the classical grade baseline.

    `region`: where it looks: the whole prepared `crop`, its `brain`, the tumour that the model `by` found in patients
    it did not learn from (`predicted`), or the true tumour (`truth`, an oracle).
    """

    kind: Literal["classical"]
    name: Name
    region: Literal["crop", "brain", "predicted", "truth"] = "brain"
    by: Name | None = None

    @model_validator(mode="after")
    def _by_goes_with_predicted(self) -> Self:
        _check_by("region", self.region, self.by)
        return self


class TogetherModel(Part):
    """Grade models of the study, by name, that answer together: the mean of their calibrated probabilities."""

    kind: Literal["together"]
    name: Name
    of: tuple[Name, ...] = Field(min_length=2)


class FinetunePart(Part):
    """How a language model is fine-tuned; see `gliobench.training.finetune.settings.FinetuneSettings`."""

    method: Literal["lora", "full"] | None = None
    rank: int | None = Field(default=None, ge=1)
    alpha: int | None = Field(default=None, ge=1)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    towers: Literal["language", "vision", "both"] | None = None
    modules: tuple[str, ...] | None = Field(default=None, min_length=1)
    learning_rate: float | None = Field(default=None, gt=0)
    schedule: Literal["linear", "cosine", "constant"] | None = None
    warmup: float | None = Field(default=None, ge=0, lt=1)
    weight_decay: float | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    accumulation: int | None = Field(default=None, ge=1)
    gradient_checkpointing: bool | None = None
    optimiser: Literal["auto", "adamw", "adamw-8bit"] | None = None
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    every: int | None = Field(default=None, ge=1)
    min_area_px: int | None = Field(default=None, ge=1)
    tasks: tuple[TaskName, ...] | None = Field(default=None, min_length=1)
    planes: tuple[Plane, ...] | None = Field(default=None, min_length=1)
    evaluate_every: int | None = Field(default=None, ge=1)
    validation_slices: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    metric: Literal["loss", "score"] | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _either_steps_or_epochs(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        return self


class ViewPart(Part):
    """What is shown of a slice; see `gliobench.models.views.view.View`. A name alone stands for that view as it is."""

    name: Literal["grey", "rgb", "mosaic", "montage"] = "grey"
    modalities: tuple[Literal["flair", "t1", "t1ce", "t2"], ...] = ()
    slices: int | None = None
    step: int = Field(default=1, ge=1)
    scale: int = Field(default=1, ge=1)
    window: tuple[float, float] | None = None
    percentiles: tuple[float, float] | None = None
    ticks: bool = False

    @model_validator(mode="before")
    @classmethod
    def _a_name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        self.to_view()
        return self

    def to_view(self) -> View:
        """The view itself. Raises ModelError, which is a ValueError, for options that do not go together."""
        return View(**self.model_dump())


class LanguageModel(Part):
    """A vision-language model: a folder, a hub id, or `tiny-mllama` (random weights of the real architecture).

    `answer`: `free` text, `constrained` to the task's format, or the grade by `choice`: one word for all tasks, or one
    a task, such as `{grade: choice, box: constrained}`; the others stay free. `adapter`: a PEFT folder or hub id.
    `shots`: how many slices of training patients it is shown with their true answers before every question.
    `finetune`: it first learns from the training patients of the fold; what it learnt is left beside the networks.
    `OPERATION`: what decides how the model is run, not what is asked.
    """

    OPERATION: ClassVar = frozenset({"batch_size", "device_map"})

    kind: Literal["vlm"]
    name: Name
    checkpoint: str
    revision: str | None = None
    adapter: str | None = None
    finetune: FinetunePart | None = None
    quantisation: Quantisation | None = None
    device_map: Literal["auto"] | None = None
    tasks: tuple[TaskName, ...] = ("grade", "centre", "box", "polygon")
    answer: Mapping[str, AnswerMode] = {}
    view: ViewPart = ViewPart()
    shots: int = Field(default=0, ge=0)
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    prompts: Path | None = None
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0
    aggregate: Aggregate = "majority"

    @field_validator("answer", mode="before")
    @classmethod
    def _one_word_is_for_all_tasks(cls, value: Any, info: ValidationInfo) -> Any:
        return dict.fromkeys(info.data.get("tasks", ()), value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _answers_fit_their_tasks(self) -> Self:
        if fault := mode_fault(self.tasks, self.answer):
            raise ValueError(f"answer: {fault}")
        return self

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and self.answer.get("grade") != "choice":
            raise ValueError(
                "aggregate: mean-probability needs a probability with each slice: add `answer: {grade: choice}`"
            )
        return self

    @model_validator(mode="after")
    def _can_be_finetuned(self) -> Self:
        if self.finetune is None:
            return self
        if self.adapter is not None:
            raise ValueError("finetune: it makes an adapter of its own; leave out `adapter`")
        if self.aggregate == "learned":
            raise ValueError(
                "finetune: validation patients choose the adapter, so that it is not asked about them, and aggregate: "
                "learned would ask; use mean-probability or majority"
            )
        if self.shots:
            raise ValueError("finetune: it learns from the patients that `shots` would show; leave out one of the two")
        if self.finetune.method == "full" and self.quantisation is not None:
            raise ValueError("finetune: quantised weights cannot learn; use method lora, or leave out `quantisation`")
        if unknown := sorted(set(self.finetune.tasks or ()) - set(self.tasks)):
            raise ValueError(f"finetune.tasks: {', '.join(unknown)} is not among the model's tasks")
        return self

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint == UNTRAINED_CHECKPOINT and self.finetune is None and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self


class PricesPart(Part):
    """Money for a million tokens of prompts (images included) and of answers."""

    prompt: float = Field(ge=0)
    answer: float = Field(ge=0)
    currency: str = "USD"


class ServerModel(Part):
    """A model on a server that speaks OpenAI's chat completions; see `gliobench.models.openai_client.OpenAIModel`.

    `key_env`: the environment variable that holds the server's key, where it asks for one; a key itself has no place
    in a study file. `view` and `shots` are those of `kind: vlm`. `OPERATION`: what decides how the server is asked, not
    what is asked.
    """

    OPERATION: ClassVar = frozenset({"key_env", "in_flight", "timeout_s", "attempts", "prices"})

    kind: Literal["openai"]
    name: Name
    base_url: str
    model: str = Field(min_length=1)
    key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    tasks: tuple[TaskName, ...] = ("grade", "centre", "box", "polygon")
    view: ViewPart = ViewPart()
    shots: int = Field(default=0, ge=0)
    in_flight: int = Field(default=16, ge=1, le=1024)
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    attempts: int = Field(default=6, ge=1, le=20)
    prompts: Path | None = None
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    seed: int = 0
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    guided: Literal["structured_outputs", "guided_regex", "regex", "json_schema"] | None = None
    logprobs: bool = False
    prices: PricesPart | None = None
    aggregate: Aggregate = "majority"

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and not self.logprobs:
            raise ValueError("aggregate: mean-probability needs a probability with each slice: add `logprobs: true`")
        return self


def samples(part: Part) -> bool:
    """Whether a model draws its answers, so that the same question can be answered in two ways."""
    return isinstance(part, LanguageModel | ServerModel) and part.temperature > 0


def learns_aggregate(part: Part) -> bool:
    """Whether validation patients teach how a model's slices become a grade, so that they are asked about too."""
    return isinstance(part, LanguageModel | ServerModel) and part.aggregate == "learned" and "grade" in part.tasks


AnyModel = Annotated[
    BaselineModel
    | ClassicalModel
    | NetworkModel
    | NnUNetModel
    | TogetherModel
    | LanguageModel
    | ServerModel
    | SegmenterModel
    | EncoderModel,
    Field(discriminator="kind"),
]


def mask_model(part: Part) -> str | None:
    """The model of the study whose masks say where `part` looks; None where none does."""
    if isinstance(part, NetworkModel):
        return part.crop.by if part.crop else None
    return part.by if isinstance(part, ClassicalModel) else None


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
        raise StudyError("\n".join(mistake(path, lines, detail) for detail in error.errors())) from None
    return _resolve_paths(study, path.parent)


def with_fold(study: Study, fold: str | None) -> Study:
    """The study with another choice of folds: "all", or the number of one. Raises StudyError for anything else."""
    if fold is None:
        return study
    if fold != "all" and not (fold.isdecimal() and int(fold) < study.split.folds):
        raise StudyError(f"--fold {fold}: expected all, or a number from 0 to {study.split.folds - 1}")
    chosen = fold if fold == "all" else int(fold)
    return study.model_copy(update={"split": study.split.model_copy(update={"fold": chosen})})


def mistake(path: Path, lines: dict[tuple[str | int, ...], int], detail: Any) -> str:
    """One mistake as `file:line: key: what is wrong (found ...)`."""
    kinds = ("baseline", "classical", "network", "nnunet", "together", "vlm", "openai", "segmenter", "encoder")
    location = tuple(part for part in detail["loc"] if part not in kinds)
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
        paths = {key: getattr(model, key, None) for key in ("prompts", "weights", "start", "python")}
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
