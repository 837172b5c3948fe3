"""Entries of a study file for language models, in this process or on a server."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator

from gliobench.grid.regions import WHOLE, Region
from gliobench.models.answer_modes import AnswerMode, mode_fault
from gliobench.models.checkpoint_files import Use
from gliobench.models.quantised import Quantisation
from gliobench.models.unsloth import Engine
from gliobench.models.views.view import View
from gliobench.study.kind import Aggregate, Learning, ModelPart, Verb
from gliobench.study.part import (
    Batch,
    CoordinatesPart,
    Count,
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
from gliobench.tasks.chain import CHAIN
from gliobench.tasks.coordinates import FAMILIES, PLACES, known_family
from gliobench.tasks.prompt import REGION, Prompt, read_prompt_file, region_prompt
from gliobench.tasks.reading import READING_VERSION

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.decoding import Decoding
    from gliobench.models.prediction import Model
    from gliobench.study.config import Study
    from gliobench.study.context import Context, Round
    from gliobench.study.plan.amounts import ModelPlan
    from gliobench.study.plan.ground import Ground

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

    name: str = "grey"
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


class SpeakingModel(ModelPart):
    """A model that answers in words about slices that it is shown. `shots`: how many slices of training patients it is
    shown with their true answers before every question."""

    LATER: ClassVar = frozenset({"top_k", "min_p"})

    tasks: Tasks = ("grade", "centre", "box", "polygon")
    view: ViewPart = ViewPart()
    shots: Annotated[Whole, Field(ge=0, le=1000)] = 0
    prompts: Outside | None = None
    temperature: Temperature = 0.0
    top_p: Real = Field(default=1.0, gt=0, le=1)
    top_k: Whole = Field(default=0, ge=0, le=1_000_000)
    min_p: Real = Field(default=0.0, ge=0, le=1)
    max_new_tokens: Tokens | None = None
    seed: Seed = 0
    aggregate: Aggregate = "majority"

    @property
    @abstractmethod
    def known_as(self) -> str:
        """The name by which the family of the model is known."""

    @property
    @abstractmethod
    def source_words(self) -> str:
        """Which model it is, and where, for the report."""

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
        return {"reading": READING_VERSION}

    def remarks(self) -> tuple[str, ...]:
        family = known_family(self.known_as)
        if family is None or self.learns or not self.view.coordinates.as_asked or not set(self.tasks) & {*PLACES}:
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
        return self.view.to_view()

    def prompts_of(self, region: Region) -> Mapping[str, Prompt]:
        if self.prompts:
            return {task: read_prompt_file(self.prompts, task).of(region) for task in self.tasks}
        return {} if region == WHOLE else {task: region_prompt(task, region) for task in self.tasks}

    def region_notes(self, study: "Study") -> Iterator[str]:
        if self.prompts is None:
            return
        asked = [task for task in study.tasks if task in self.tasks and task in CHAIN]
        if silent := [task for task in asked if REGION not in read_prompt_file(self.prompts, task).text]:
            yield (
                f"{self.name}: its prompts for {', '.join(silent)} name no region ({REGION} is not in them), and what "
                f"they are answered with is held against the {study.asked_region.title}."
            )

    def decoding(self) -> "Decoding":
        """How its answers are drawn."""
        from gliobench.models.decoding import Decoding

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
        shots = f", each after {self.shots} slices of training patients with their true answers" if self.shots else ""
        modes = [f"; {task}: {mode}" for task, mode in self.answer_modes.items() if mode != "free"]
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


class LanguageModel(SpeakingModel):
    """A vision-language model: a folder, a hub id, or `tiny-mllama` (random weights of the real architecture).

    `answer`: `free` text, `constrained` to the task's format, or the grade by `choice`: one word for all tasks, or one
    a task, such as `{grade: choice, box: constrained}`; the others stay free. `adapter`: a PEFT folder or hub id.
    `finetune`: it first learns from the training patients of the fold; what it learnt is left beside the networks.
    `OPERATION`: what decides how the model is run, not what is asked.
    """

    OPERATION: ClassVar = frozenset({"batch_size", "device_map"})

    kind: Literal["vlm"]
    checkpoint: Source
    revision: Revision | None = None
    adapter: Source | None = None
    finetune: FinetunePart | None = None
    quantisation: Quantisation | None = None
    device_map: Literal["auto"] | None = None
    answer: Mapping[str, AnswerMode] = {}
    batch_size: Batch | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

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
        written = ["finetune"] if self.finetune else []
        self._check_convention(
            [*written, *(f"answer: {task}: constrained" for task, mode in self.answer.items() if mode == "constrained")]
        )
        return self

    @model_validator(mode="after")
    def _untrained_is_called_so(self) -> Self:
        if self.checkpoint == UNTRAINED_CHECKPOINT and self.finetune is None and "untrained" not in self.name:
            raise ValueError(f"name {self.name!r}: random weights must have 'untrained' in their name")
        return self

    def check(self, study: "Study") -> None:
        taught = (self.finetune.tasks or self.tasks) if self.finetune else ()
        if taught and not set(taught) & set(study.tasks):
            raise ValueError(f"{self.name}: finetune learns {', '.join(taught)}, none of which is in `tasks`")

    @property
    def known_as(self) -> str:
        return self.checkpoint

    @property
    def source_words(self) -> str:
        return self.checkpoint

    @property
    def answer_modes(self) -> Mapping[str, AnswerMode]:
        return self.answer

    @property
    def learns(self) -> bool:
        return self.finetune is not None

    @property
    def verb(self) -> Verb | None:
        return "finetune" if self.learns else None

    def learning(self, context: "Context") -> list[Learning]:
        from gliobench.study.finetune import finetune_learning

        return finetune_learning(context, self) if self.learns else []

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.finetune import finetune_model

        finetune_model(context, self, number, fold, alone)

    @property
    def language(self) -> "LanguageModel":
        return self

    @property
    def finetuned(self) -> "LanguageModel | None":
        return self if self.finetune else None

    @property
    def engine(self) -> Engine | None:
        return (self.finetune.engine or "transformers") if self.finetune else None

    def is_left(self, context: "Context") -> bool:
        stamps = context.folder.stamps.glob(f"finetune-{self.name}-fold-*.json")
        return self.engine == "unsloth" and not any(stamps)

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.finetuned import FinetunedModel, learnt_from
        from gliobench.study.build import language_model
        from gliobench.study.shots import reference_shots

        checkpoint = adapter = None
        if self.finetune is not None:
            folder, *_ = context.folder.networks(self.name, round.folds)  # several adapters cannot answer together
            checkpoint, adapter = (folder, None) if self.finetune.method == "full" else (None, folder)
        shots = reference_shots(context, self, round, plane)
        asked = language_model(context, self, checkpoint=checkpoint, adapter=adapter, shots=shots)
        learnt = learnt_from(checkpoint or self.checkpoint) | learnt_from(adapter or self.adapter)
        return FinetunedModel(asked, learnt) if learnt else asked

    @property
    def untrained(self) -> bool:
        return self.checkpoint == UNTRAINED_CHECKPOINT and not self.learns

    @property
    def checkpoint_source(self) -> tuple[str, str | None]:
        return self.checkpoint, self.revision

    def machine_faults(self, context: "Context") -> Iterator[tuple[str, str]]:
        from gliobench.study.plan.families import checkpoint_here
        from gliobench.study.plan.missing import quantisation_fault_of

        if fault := quantisation_fault_of(self, checkpoint_here(context, *self.checkpoint_source)):
            yield "quantisation" if self.quantisation else "checkpoint", fault

    @property
    def checkpoint_use(self) -> Use:
        return "language"

    @property
    def unvalidated(self) -> str | None:
        """A sentence where it learns from the validation patients too."""
        if self.finetune is None or self.finetune.patients != "all":
            return None
        return (
            f"{self.name}: learns from training and validation patients alike (`patients: all`): nobody validates it, "
            "and its last step is kept."
        )

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.language import plan_language

        return plan_language(ground, self)

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self.unvalidated:
            yield self.unvalidated


class PricesPart(Part):
    """Money for a million tokens of prompts (images included) and of answers."""

    prompt: Real = Field(ge=0, le=1e9)
    answer: Real = Field(ge=0, le=1e9)
    currency: str = "USD"


class ServerModel(SpeakingModel):
    """A model on a server that speaks OpenAI's chat completions; see `gliobench.models.openai_client.OpenAIModel`.

    `key_env`: the environment variable that holds the server's key, where it asks for one; a key itself has no place
    in a study file. `view` and `shots` are those of `kind: vlm`. `OPERATION`: what decides how the server is asked, not
    what is asked.
    """

    OPERATION: ClassVar = frozenset({"key_env", "in_flight", "timeout_s", "attempts", "prices"})

    kind: Literal["openai"]
    base_url: str
    model: str = Field(min_length=1)
    key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$")
    in_flight: Whole = Field(default=16, ge=1, le=1024)
    timeout_s: Real = Field(default=120.0, gt=0, le=3600)
    attempts: Whole = Field(default=6, ge=1, le=20)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    guided: Literal["structured_outputs", "guided_regex", "regex", "json_schema"] | None = None
    logprobs: bool = False
    prices: PricesPart | None = None

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
        self._check_convention(["guided"] if self.guided else [])
        return self

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and not self.logprobs:
            raise ValueError("aggregate: mean-probability needs a probability with each slice: add `logprobs: true`")
        return self

    @property
    def known_as(self) -> str:
        return self.model

    @property
    def source_words(self) -> str:
        return f"{self.model} at {self.base_url}"

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.openai_client import OpenAIModel, Prices, Server
        from gliobench.models.openai_key import read_key
        from gliobench.study.shots import reference_shots

        return OpenAIModel(
            Server(self.base_url, read_key(self.key_env), self.timeout_s, self.attempts),
            self.model,
            name=self.name,
            tasks=self.tasks,
            prompts=self.prompts_of(context.study.asked_region),
            view=self.picture,
            shots=reference_shots(context, self, round, plane),
            decoding=self.decoding(),
            in_flight=self.in_flight,
            guided=self.guided,
            logprobs=self.logprobs,
            limit_field=self.limit_field,
            prices=Prices(**self.prices.model_dump()) if self.prices else None,
        )

    def plan(self, ground: "Ground") -> "ModelPlan":
        from gliobench.study.plan.kinds.language import plan_server

        return plan_server(ground, self)
