"""Entries of a study file for language models, in this process or on a server."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from gliobench.models.answer_modes import AnswerMode, mode_fault
from gliobench.models.quantised import Quantisation
from gliobench.models.unsloth import Engine
from gliobench.models.views.view import View
from gliobench.study.part import (
    Batch,
    CoordinatesPart,
    Count,
    Name,
    Outside,
    Part,
    Planes,
    Rate,
    Real,
    Revision,
    Seed,
    Source,
    Tasks,
    Temperature,
    Text,
    Tokens,
    Whole,
)
from gliobench.tasks.coordinates import FAMILIES, PLACES, known_family

Aggregate = Literal["majority", "mean-probability", "learned"]  # see `gliobench.scoring.aggregate`
UNTRAINED_CHECKPOINT = "tiny-mllama"  # random weights, made on the spot


class FinetunePart(Part):
    """How a language model is fine-tuned; see `gliobench.training.finetune.settings.FinetuneSettings`."""

    LATER: ClassVar = frozenset({"patients", "balance_grades"})

    engine: Engine | None = None
    method: Literal["lora", "full"] | None = None
    rank: Batch | None = None
    alpha: Count | None = None
    dropout: Real | None = Field(default=None, ge=0, lt=1)
    towers: Literal["language", "vision", "both"] | None = None
    modules: tuple[Text, ...] | None = Field(default=None, min_length=1)
    learning_rate: Rate | None = None
    schedule: Literal["linear", "cosine", "constant"] | None = None
    warmup: Real | None = Field(default=None, ge=0, lt=1)
    weight_decay: Real | None = Field(default=None, ge=0, le=10)
    steps: Count | None = None
    epochs: Real | None = Field(default=None, gt=0, le=10_000)
    batch_size: Batch | None = None
    accumulation: Batch | None = None
    gradient_checkpointing: bool | None = None
    optimiser: Literal["auto", "adamw", "adamw-8bit"] | None = None
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    every: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    min_area_px: Count | None = None
    trim: Annotated[Whole, Field(ge=0, le=1024)] | None = None
    patients: Literal["training", "all"] | None = None
    balance_grades: bool | Literal["copies"] | None = None
    tasks: Tasks | None = None
    planes: Planes | None = None
    evaluate_every: Count | None = None
    validation_slices: Count | None = None
    patience: Count | None = None
    metric: Literal["loss", "score"] | None = None
    seed: Seed | None = None

    @model_validator(mode="after")
    def _either_steps_or_epochs(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        return self

    @model_validator(mode="after")
    def _nobody_validates_where_all_are_learnt_from(self) -> Self:
        unused = [key for key in ("validation_slices", "patience", "metric") if getattr(self, key) is not None]
        if self.patients == "all" and unused:
            raise ValueError(f"patients: all leaves nobody to validate on: leave out {' and '.join(unused)}")
        return self

    @model_validator(mode="after")
    def _unsloth_can_do_it(self) -> Self:
        if self.engine == "unsloth" and self.method == "full":
            raise ValueError("engine unsloth learns adapters here: use method lora, or engine transformers")
        if self.engine == "unsloth" and self.precision == "float32":
            raise ValueError("engine unsloth computes in bfloat16: leave out `precision`, or use engine transformers")
        return self


class ViewPart(Part):
    """What is shown of a slice; see `gliobench.models.views.view.View`. A name alone stands for that view as it is."""

    LATER: ClassVar = frozenset({"stretch", "coordinates"})

    name: Literal["grey", "rgb", "mosaic", "montage"] = "grey"
    modalities: tuple[Literal["flair", "t1", "t1ce", "t2"], ...] = ()
    slices: Whole | None = None
    step: Annotated[Whole, Field(ge=1, le=1024)] = 1
    scale: Annotated[Whole, Field(ge=1, le=1000)] = 1
    window: tuple[Real, Real] | None = None
    percentiles: tuple[Real, Real] | None = None
    stretch: bool = False
    ticks: bool = False
    coordinates: CoordinatesPart = CoordinatesPart()

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
        return View(**self.model_dump() | {"coordinates": self.coordinates.to_coordinates()})


class LanguageModel(Part):
    """A vision-language model: a folder, a hub id, or `tiny-mllama` (random weights of the real architecture).

    `answer`: `free` text, `constrained` to the task's format, or the grade by `choice`: one word for all tasks, or one
    a task, such as `{grade: choice, box: constrained}`; the others stay free. `adapter`: a PEFT folder or hub id.
    `shots`: how many slices of training patients it is shown with their true answers before every question.
    `finetune`: it first learns from the training patients of the fold; what it learnt is left beside the networks.
    `OPERATION`: what decides how the model is run, not what is asked.
    """

    OPERATION: ClassVar = frozenset({"batch_size", "device_map"})
    LATER: ClassVar = frozenset({"top_k"})

    kind: Literal["vlm"]
    name: Name
    checkpoint: Source
    revision: Revision | None = None
    adapter: Source | None = None
    finetune: FinetunePart | None = None
    quantisation: Quantisation | None = None
    device_map: Literal["auto"] | None = None
    tasks: Tasks = ("grade", "centre", "box", "polygon")
    answer: Mapping[str, AnswerMode] = {}
    view: ViewPart = ViewPart()
    shots: Annotated[Whole, Field(ge=0, le=1000)] = 0
    batch_size: Batch | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    prompts: Outside | None = None
    temperature: Temperature = 0.0
    top_p: Real = Field(default=1.0, gt=0, le=1)
    top_k: Whole = Field(default=0, ge=0, le=1_000_000)
    min_p: Real = Field(default=0.0, ge=0, le=1)
    max_new_tokens: Tokens | None = None
    seed: Seed = 0
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
        if self.finetune.engine == "unsloth" and self.device_map is not None:
            raise ValueError("finetune: engine unsloth learns on one GPU; leave out `device_map`")
        if self.shots:
            raise ValueError("finetune: it learns from the patients that `shots` would show; leave out one of the two")
        if self.finetune.method == "full" and self.quantisation is not None:
            raise ValueError("finetune: quantised weights cannot learn; use method lora, or leave out `quantisation`")
        if unknown := sorted(set(self.finetune.tasks or ()) - set(self.tasks)):
            raise ValueError(f"finetune.tasks: {', '.join(unknown)} is not among the model's tasks")
        return self

    @model_validator(mode="after")
    def _counts_as_it_is_shown(self) -> Self:
        written = ["shots"] if self.shots else []
        written += ["finetune"] if self.finetune else []
        written += [f"answer: {task}: constrained" for task, mode in self.answer.items() if mode == "constrained"]
        _check_convention(self.view, written)
        return self

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint == UNTRAINED_CHECKPOINT and self.finetune is None and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self


class PricesPart(Part):
    """Money for a million tokens of prompts (images included) and of answers."""

    prompt: Real = Field(ge=0, le=1e9)
    answer: Real = Field(ge=0, le=1e9)
    currency: str = "USD"


class ServerModel(Part):
    """A model on a server that speaks OpenAI's chat completions; see `gliobench.models.openai_client.OpenAIModel`.

    `key_env`: the environment variable that holds the server's key, where it asks for one; a key itself has no place
    in a study file. `view` and `shots` are those of `kind: vlm`. `OPERATION`: what decides how the server is asked, not
    what is asked.
    """

    OPERATION: ClassVar = frozenset({"key_env", "in_flight", "timeout_s", "attempts", "prices"})
    LATER: ClassVar = frozenset({"top_k", "min_p"})

    kind: Literal["openai"]
    name: Name
    base_url: str
    model: str = Field(min_length=1)
    key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    tasks: Tasks = ("grade", "centre", "box", "polygon")
    view: ViewPart = ViewPart()
    shots: Annotated[Whole, Field(ge=0, le=1000)] = 0
    in_flight: Whole = Field(default=16, ge=1, le=1024)
    timeout_s: Real = Field(default=120.0, gt=0, le=3600)
    attempts: Whole = Field(default=6, ge=1, le=20)
    prompts: Outside | None = None
    temperature: Temperature = 0.0
    top_p: Real = Field(default=1.0, gt=0, le=1)
    top_k: Whole = Field(default=0, ge=0, le=1_000_000)
    min_p: Real = Field(default=0.0, ge=0, le=1)
    max_new_tokens: Tokens | None = None
    seed: Seed = 0
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    guided: Literal["structured_outputs", "guided_regex", "regex", "json_schema"] | None = None
    logprobs: bool = False
    prices: PricesPart | None = None
    aggregate: Aggregate = "majority"

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        try:
            found = urlsplit(url)
            known = found.scheme in ("http", "https") and found.hostname and (found.port or 1) > 0
        except ValueError:  # brackets that do not close, a port beyond 65535
            known = False
        if not known or any(one.isspace() for one in url):
            raise ValueError("expected an address such as http://127.0.0.1:8000/v1")
        return url

    @model_validator(mode="after")
    def _counts_as_it_is_shown(self) -> Self:
        written = ["shots"] if self.shots else []
        _check_convention(self.view, [*written, "guided"] if self.guided else written)
        return self

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and not self.logprobs:
            raise ValueError("aggregate: mean-probability needs a probability with each slice: add `logprobs: true`")
        return self


def habit(part: LanguageModel | ServerModel) -> tuple[str, ...]:
    """What to look out for where a model's family counts in a way of its own and the study file does not say so."""
    family = known_family(part.model if isinstance(part, ServerModel) else part.checkpoint)
    learns = isinstance(part, LanguageModel) and part.finetune is not None
    if family is None or learns or not part.view.coordinates.as_asked or not set(part.tasks) & {*PLACES}:
        return ()
    return (
        f"{part.name}: {family} was trained to count places in its own way ({FAMILIES[family].words}), and its answers "
        "are read as the prompts ask, in whole pixels, row first. If its answers are in its own, declare "
        f"`view: {{coordinates: {family}}}`.",
    )


def _check_convention(view: ViewPart, written: Sequence[str]) -> None:
    """Raise ValueError where a model that counts in its own way is shown or held to answers in pixels, row first."""
    if written and not view.coordinates.as_asked:
        raise ValueError(
            f"view.coordinates: {', '.join(written)} has answers in whole pixels, row first: leave out one of the two"
        )


def learns_aggregate(part: Part) -> bool:
    """Whether validation patients teach how a model's slices become a grade, so that they are asked about too."""
    return isinstance(part, LanguageModel | ServerModel) and part.aggregate == "learned" and "grade" in part.tasks


def unvalidated(part: Part) -> str | None:
    """A sentence about a language model that learns from the validation patients too; None for any other."""
    if not isinstance(part, LanguageModel) or part.finetune is None or part.finetune.patients != "all":
        return None
    return (
        f"{part.name}: learns from training and validation patients alike (`patients: all`): nobody validates it, and "
        "its last step is kept."
    )
