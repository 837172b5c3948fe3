"""Entries of a study file for language models in this process."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import ValidationInfo, field_validator, model_validator

from gliobench.grid.regions import Region
from gliobench.models.checkpoints.files import Use
from gliobench.models.checkpoints.quantised import Quantisation
from gliobench.models.checkpoints.unsloth import Engine
from gliobench.models.language.answer_modes import AnswerMode, mode_fault
from gliobench.ranges import Batch
from gliobench.scoring.camps import Camp
from gliobench.study.kinds.learning import Learning, Verb
from gliobench.study.kinds.speaking import SpeakingConfig
from gliobench.study.parts.base import Revision, Source, departures
from gliobench.tasks.grade import GRADE
from gliobench.tasks.names import task_name
from gliobench.tasks.registry import plain
from gliobench.training.finetune.settings import FinetuneSettings

if TYPE_CHECKING:
    from gliobench.grid.frame import Plane
    from gliobench.grid.splits import Fold
    from gliobench.models.base.prediction import Model
    from gliobench.study.config.study import Study
    from gliobench.study.parts.seen import Seen
    from gliobench.study.plan.estimates import Missing, ModelPlan, Step
    from gliobench.study.plan.inputs import PlanInputs
    from gliobench.study.state.context import Context, Round

UNTRAINED_CHECKPOINT = "tiny-mllama"  # random weights, made on the spot
CURE = "a smaller batch_size, quantisation: 4bit or device_map: auto"  # where memory does not hold it


class FinetuneConfig(departures(FinetuneSettings)):  # type: ignore[misc]
    """How a language model is fine-tuned, where it departs from the default."""

    LATER: ClassVar = frozenset({"patients", "balance_grades"})

    @model_validator(mode="after")
    def _either_steps_or_epochs(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give steps or epochs, not both")
        return self

    @model_validator(mode="after")
    def _nobody_validates_where_all_are_training_patients(self) -> Self:
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


class LanguageModelConfig(SpeakingConfig):
    """A vision-language model: a folder, a hub id, or `tiny-mllama` (random weights of the real architecture).

    `answer`: `free` text, `constrained` to the task's format, or the grade by `choice`: one word for all tasks, or one
    a task, such as `{grade: choice, box: constrained}`; the others stay free. `adapter`: a PEFT folder or hub id.
    `finetune`: it is first fine-tuned on the training patients of the fold; the adapter is left beside the networks.
    `OPERATION`: what decides how the model is run, not what is asked.
    """

    OPERATION: ClassVar = frozenset({"batch_size", "device_map"})

    kind: Literal["vlm"]
    checkpoint: Source
    revision: Revision | None = None
    adapter: Source | None = None
    finetune: FinetuneConfig | None = None
    quantisation: Quantisation | None = None
    device_map: Literal["auto"] | None = None
    answer: Mapping[str, AnswerMode] = {}
    batch_size: Batch | Literal["auto"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    @field_validator("answer", mode="before")
    @classmethod
    def _one_word_is_for_all_tasks(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            return dict.fromkeys(info.data.get("tasks", ()), value)
        return {task_name(task): mode for task, mode in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _answers_fit_their_tasks(self) -> Self:
        if fault := mode_fault(self.tasks, self.answer):
            raise ValueError(f"answer: {fault}")
        return self

    @model_validator(mode="after")
    def _probabilities_for_their_mean(self) -> Self:
        if self.aggregate == "mean-probability" and self.answer.get(GRADE.name) != "choice":
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
        super().check(study)
        taught = (self.finetune.tasks or self.tasks) if self.finetune else ()
        if taught and not set(taught) & set(study.tasks):
            raise ValueError(f"{self.name}: finetune learns {', '.join(taught)}, none of which is in `tasks`")

    def asked(self, regional: Sequence[str], region: Region) -> Self:
        entry = super().asked(regional, region)
        modes = {task: self.answer[plain(task)] for task in entry.tasks if plain(task) in self.answer}
        return entry.model_copy(update={"answer": {**modes, **self.answer}}) if modes.keys() - self.answer else entry

    @property
    def known_as(self) -> str:
        return self.checkpoint

    @property
    def source_words(self) -> str:
        return self.checkpoint

    @property
    def declared(self) -> "tuple[str, Seen] | None":
        return None if self.checkpoint == UNTRAINED_CHECKPOINT else super().declared

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
        from gliobench.study.stages.finetune import finetune_learning

        return finetune_learning(context, self) if self.learns else []

    def learn(self, context: "Context", number: int, fold: "Fold", *, alone: bool = False) -> None:
        from gliobench.study.stages.finetune import finetune_model

        finetune_model(context, self, number, fold, alone)

    @property
    def own_camp(self) -> Camp:
        return "fine-tuned" if self.learns or self.adapter else "general"

    def validated(self, context: "Context", fold: int) -> Mapping[str, float]:
        from gliobench.study.stages.finetune import validation_figures

        return validation_figures(context.folder.network(self.name, fold)) if self.learns else {}

    @property
    def language(self) -> "LanguageModelConfig":
        return self

    @property
    def finetuned(self) -> "LanguageModelConfig | None":
        return self if self.finetune else None

    @property
    def engine(self) -> Engine | None:
        return (self.finetune.engine or "transformers") if self.finetune else None

    def is_left(self, context: "Context") -> bool:
        return self.engine == "unsloth" and not context.folder.has_stamp("finetune", self.name)

    def seeded(self, number: int) -> Self | None:
        drawn = super().seeded(number)
        if self.finetune is None:
            return drawn
        tuned = self.finetune.model_copy(update={"seed": (self.finetune.seed or 0) + number})
        return (drawn or self).model_copy(update={"finetune": tuned})

    def build(self, context: "Context", round: "Round", plane: "Plane") -> "Model":
        from gliobench.models.language.finetuned import FinetunedModel, trained_on
        from gliobench.study.asking.build import language_model
        from gliobench.study.asking.shots import reference_shots

        checkpoint = adapter = None
        if self.finetune is not None:
            folder, *_ = context.folder.networks(self.name, round.folds)  # adapters cannot be ensembled
            checkpoint, adapter = (folder, None) if self.finetune.method == "full" else (None, folder)
        shots = reference_shots(context, self, round, plane)
        asked = language_model(context, self, checkpoint=checkpoint, adapter=adapter, shots=shots)
        patients = trained_on(checkpoint or self.checkpoint) | trained_on(adapter or self.adapter)
        return FinetunedModel(asked, patients) if patients else asked

    @property
    def untrained(self) -> bool:
        return self.checkpoint == UNTRAINED_CHECKPOINT and not self.learns

    @property
    def checkpoint_source(self) -> tuple[str, str | None]:
        return self.checkpoint, self.revision

    def machine_faults(self, context: "Context") -> Iterator[tuple[str, str]]:
        from gliobench.models.checkpoints.files import checkpoint_fault, quantised_by
        from gliobench.models.checkpoints.quantised import quantisation_fault, quantised_fault
        from gliobench.study.plan.families import checkpoint_here

        if self.quantisation is not None:
            if fault := quantisation_fault():
                yield "quantisation", f"{self.quantisation} cannot be used here: {fault}"
            return
        folder = checkpoint_here(context, *self.checkpoint_source)
        if folder is None or checkpoint_fault(folder, "language") or (method := quantised_by(folder)) is None:
            return
        if fault := quantised_fault(folder, method):
            yield "checkpoint", f"{folder} was quantised with {method}, which cannot be used here: {fault}"

    @property
    def checkpoint_use(self) -> Use:
        return "language"

    @property
    def unvalidated(self) -> str | None:
        """A sentence where it learns from the validation patients too."""
        if self.finetune is None or self.finetune.patients != "all":
            return None
        return (
            f"{self.name}: learns from training and validation patients alike (`patients: all`): it has no validation, "
            "and its last step is kept."
        )

    def plan(self, plan_inputs: "PlanInputs") -> "ModelPlan":
        from gliobench.study.plan.estimates import ModelPlan
        from gliobench.study.plan.families import checkpoint_here, checkpoint_room, weights_of
        from gliobench.study.plan.language import ask_step, finetune_step

        folder = checkpoint_here(plan_inputs.context, *self.checkpoint_source)
        weights = weights_of(self.checkpoint, folder)
        learning = (finetune_step(plan_inputs, self, folder, weights),) if self.finetune else ()
        asking = ask_step(plan_inputs, self, folder, weights)
        return ModelPlan(
            (*learning, asking),
            tuple(checkpoint_room(plan_inputs.context, self, weights.parameters * weights.stored_bytes))
            if weights
            else (),
            tuple(self._missing(plan_inputs, asking)),
            said=tuple(sentence for sentence in (*self.remarks(), self.unvalidated) if sentence),
        )

    def _missing(self, plan_inputs: "PlanInputs", asking: "Step") -> "Iterator[Missing]":
        from gliobench.cohort.patients import scans_of
        from gliobench.models.base.leakage import trained_on_tested
        from gliobench.models.checkpoints.unsloth import unsloth_fault
        from gliobench.models.language.finetuned import trained_on
        from gliobench.study.plan.counts import first_folds
        from gliobench.study.plan.estimates import Missing
        from gliobench.study.plan.missing import gpu_missing

        if self.finetune is not None:
            tasks = self.taught_tasks(plan_inputs.context.study)
            learners = first_folds(plan_inputs.counts)
            yield from plan_inputs.untaught(self.name, learners, lambda one: one.teaches_about_slices(tasks))
            if seen := scans_of(plan_inputs.counts.whose(plan_inputs.counts.tested), trained_on(self.checkpoint)):
                yield Missing(self.name, f"finetune: {trained_on_tested(self.checkpoint, seen)}")
        yield from gpu_missing(self.name, asking.gpu_memory_gib, plan_inputs.here, CURE)
        if self.is_left(plan_inputs.context) and (fault := unsloth_fault()):
            yield Missing(self.name, f"finetune: engine unsloth cannot be used here: {fault}; docs/finetuning.md")

    def taught_tasks(self, study: "Study") -> list[str]:
        """What it is fine-tuned on."""
        chosen = self.finetune.tasks if self.finetune else None
        return [task for task in study.tasks if task in (chosen or self.tasks)]

    def notes(self) -> Iterator[str]:
        yield from super().notes()
        if self.unvalidated:
            yield self.unvalidated
