"""Any image-text-to-text model of transformers, asked in batches about single slices."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.classified import of_answers, scored
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction, Question, Settings
from gliobench.models.checkpoints.batches import BatchSize, first_size, in_batches
from gliobench.models.checkpoints.cache import cached_checkpoint
from gliobench.models.checkpoints.load import Checkpoint, load_checkpoint, quiet
from gliobench.models.checkpoints.memory import keep_memory
from gliobench.models.checkpoints.unsloth import Engine
from gliobench.models.language.answer_modes import AnswerMode, checked_modes
from gliobench.models.language.choice import choice_logprobs, class_choices
from gliobench.models.language.conversation import (
    Shot,
    Turn,
    answer_text,
    question_turn,
    read_answer,
    shot_turns,
    shots_identity,
)
from gliobench.models.language.decoding import Decoding, logits_processors
from gliobench.models.language.grammar import Grammar, longest_answer
from gliobench.models.language.mode_batches import ModeBatch, stretches
from gliobench.models.language.repeats import SharedPrompt, can_share
from gliobench.models.language.shared_attention import sharing
from gliobench.models.language.writing import write
from gliobench.models.views.asking import (
    asked_frame,
    check_names,
    check_task,
    known_prompts,
    prompt_identity,
    setting_name,
)
from gliobench.models.views.view import View
from gliobench.tasks.geometry import Value
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.reading import READING_VERSION
from gliobench.tasks.registry import DEFAULT_TASKS, TASKS

__all__ = ["Decoding", "VisionLanguageModel"]


class VisionLanguageModel:
    """A vision-language model in this process: a view of one slice and the task's prompt in, an answer out.

    `checkpoint`: a folder or a hub id (`gliobench.models.checkpoints.load.load_checkpoint` says what is accepted).
    `problem`: what is asked about. `name`: its name in tables; default the folder's name or the Hub id. `tasks`: those
    it can be asked. `answer`: the answer mode by task, default `free` (`gliobench.models.language.answer_modes`).
    `prompts`: another prompt than a task's own. `view`: what is shown of a slice. `shots`: by task, slices with their
    true answers, shown before every question. `batch_size`: how many slices at once, None for as many as memory allows;
    it does not change the answers (up to rounding: in bfloat16 two nearly equal tokens can swap). `adapter`, `spread`,
    `quantisation`, `engine`: see `load_checkpoint`. `to_train`: weights of its own, shared with no other model. Raises
    ModelError for a checkpoint that cannot be used and for any bad argument.
    """

    per_slice = True

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        problem: Problem = GLIOMA,
        name: str | None = None,
        tasks: Collection[str] = DEFAULT_TASKS,
        answer: Mapping[str, AnswerMode] | None = None,
        prompts: Mapping[str, Prompt] | None = None,
        view: View | None = None,
        shots: Mapping[str, Sequence[Shot]] | None = None,
        decoding: Decoding | None = None,
        dtype: str = "auto",
        device: str = "auto",
        spread: bool = False,
        quantisation: str | None = None,
        adapter: str | Path | None = None,
        to_train: bool = False,
        engine: Engine = "transformers",
        batch_size: int | None = None,
        revision: str | None = None,
    ) -> None:
        check_names("task", {*tasks, *(prompts or ())}, TASKS)
        if batch_size is not None and batch_size < 1:
            raise ModelError(f"batch_size must be 1 or more, got {batch_size}")
        self.tasks, self._problem = frozenset(tasks), problem
        self.decoding = decoding or Decoding()
        self._prompts = known_prompts(tasks, prompts or {}, problem)
        self._view = view or View()
        self._shots = {task: tuple((shots or {}).get(task, ())) for task in self._prompts}
        self._shot_turns = {
            task: shot_turns(self._shots[task], self._prompts[task], self._view) for task in self._prompts
        }
        self._modes = checked_modes(tasks, answer or {})
        self._quantisation, self._engine = quantisation, engine
        load = load_checkpoint if to_train else cached_checkpoint
        self._checkpoint = load(
            checkpoint,
            revision=revision,
            dtype=dtype,
            device=device,
            spread=spread,
            quantisation=quantisation,
            adapter=adapter,
            engine=engine,
        )
        self._batch_size = BatchSize(batch_size or first_size(self._checkpoint.model.device.type))
        self._choices = class_choices(self._checkpoint.processor.tokenizer, problem)
        self._grammar = Grammar(self._checkpoint, problem) if "constrained" in self._modes.values() else None
        if self._checkpoint.model.device.type == "cpu":
            keep_memory()
        self._shares: bool | None = None  # not known before the first repeated question
        self.name = name or self._checkpoint.id
        self.settings = self._settings()

    @property
    def checkpoint(self) -> Checkpoint:
        """The loaded model and its processor, for fine-tuning."""
        return self._checkpoint

    def inputs(self, questions: Sequence[Question]) -> Mapping[str, Any]:
        """The processor's tensors for a batch of questions, padded on the left, on the CPU."""
        inputs: Mapping[str, Any] = self._inputs(questions)
        return inputs

    def answer_text(self, question: Question, value: Value | None) -> str:
        """What the model should write, `value` being the answer in the slice's own pixels; None: there is no tumour."""
        return answer_text(question, value, self._view)

    def turns(self, question: Question) -> list[Turn]:
        """The conversation of a question: the few-shot turns, then the slice with its prompt."""
        asked = question_turn(question, self._prompts[question.task], self._view)
        return [*self._shot_turns[question.task], asked]

    def _settings(self) -> Settings:
        """Everything that can change an answer: weights, processor, image, prompts and decoding."""
        checkpoint = self._checkpoint
        image_processor = checkpoint.processor.image_processor
        return {
            "engine": self._engine,
            "checkpoint": checkpoint.id,
            "revision": checkpoint.revision,
            "content": checkpoint.content,
            "adapter": checkpoint.adapter,
            "dtype": str(checkpoint.model.dtype).removeprefix("torch."),
            "reading": READING_VERSION,
            **self._view.identity,
            **shots_identity(self._shots, self._view),
            "image_processor": type(image_processor).__name__,
            "image_size": _size_text(image_processor),
            **({"quantisation": self._quantisation} if self._quantisation else {}),
            **{setting_name("prompt", task): self._prompt_text(task) for task in self._prompts},
            **{setting_name("answer", task): mode for task, mode in self._modes.items() if mode != "free"},
            **self.decoding.settings,
        }

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Yield one prediction per question, in the order asked; images are rendered batch by batch.

        Raises ModelError before anything is asked: a task that is not this model's, a question about a whole volume,
        or a prompt that does not fit the model's context together with the image and the longest answer.
        """
        self._check(questions)
        return (prediction for stretch in stretches(questions, self._modes) for prediction in self._ask(stretch))

    def _ask(self, stretch: ModeBatch) -> Iterator[Prediction]:
        """The answers to a mode batch, each with its part of its batch's seconds."""
        answer: Callable[[Sequence[Question]], list[Prediction]] = self._write
        if stretch.way == "choice":
            answer = self._choose
        elif stretch.way == "repeats":
            answer = self._repeat(stretch.questions[0])

        def ask(batch: Sequence[Question]) -> list[Prediction]:
            start = perf_counter()
            with quiet(), torch.inference_mode():
                predictions = answer(batch)
            seconds = (perf_counter() - start) / len(batch)
            return [replace(prediction, seconds=seconds) for prediction in predictions]

        return in_batches(stretch.questions, ask, self._batch_size)

    def _choose(self, batch: Sequence[Question]) -> list[Prediction]:
        """The most probable answer to each, and the classes' probabilities."""
        inputs = self._tensors([question for question in batch for _ in range(self._choices.copies)])
        logprobs = choice_logprobs(self._checkpoint.model, inputs, self._choices)
        found = [of_answers(one, self._problem) for one in logprobs.softmax(-1).double().numpy()]
        texts = [self._choices.texts[best] for best in logprobs.argmax(-1).tolist()]
        return [
            Prediction(
                question,
                read_answer(question, text, False, self._view),
                score=score,
                probabilities=probabilities,
                text=text,
                tokens=0,
                finish="choice",
            )
            for question, (score, probabilities), text in zip(batch, map(scored, found), texts, strict=True)
        ]

    def _write(self, batch: Sequence[Question], inputs: Mapping[str, Any] | None = None) -> list[Prediction]:
        """The generated answer to each; `inputs`: where they exist already."""
        inputs = self._tensors(batch) if inputs is None else inputs
        formats = [(q.task, self._shape(q)) if self._modes[q.task] == "constrained" else None for q in batch]
        mask = self._grammar.mask(formats) if self._grammar and any(formats) else None
        limits = [self._limit(question) for question in batch]
        answers = write(self._checkpoint, inputs, limits, logits_processors(self.decoding, batch, mask))
        return [
            Prediction(
                question,
                read_answer(question, answer.text, not answer.finished, self._view),
                text=answer.text,
                tokens=answer.tokens,
                finish="stop" if answer.finished else "length",
            )
            for question, answer in zip(batch, answers, strict=True)
        ]

    def _repeat(self, question: Question) -> Callable[[Sequence[Question]], list[Prediction]]:
        """A function that generates several answers to one question, whose image and prompt are encoded once."""
        prompt: list[SharedPrompt | None] = []

        def repeat(batch: Sequence[Question]) -> list[Prediction]:
            if not prompt:
                prompt.append(self._shared(question))
            if prompt[0] is None:
                return self._write(batch)
            copies = prompt[0].copies(len(batch), self._limit(question))
            with sharing(self._checkpoint.model):
                return self._write(batch, copies)

        return repeat

    def _shared(self, question: Question) -> SharedPrompt | None:
        """The question's prompt, to be encoded once; None for a model that cannot share a prompt."""
        model, inputs = self._checkpoint.model, self._tensors([question])
        if self._shares is None:
            self._shares = can_share(model, inputs)
        return SharedPrompt(model, inputs) if self._shares else None

    def _tensors(self, batch: Sequence[Question]) -> Any:
        """`_inputs` on the model's device. Raises ModelError naming the slice that the processor rejects."""
        model = self._checkpoint.model
        try:
            return self._inputs(batch).to(model.device, model.dtype)
        except (ValueError, TypeError, IndexError, ArithmeticError, OSError) as error:
            if isinstance(error, ModelError):
                raise
            if len(batch) > 1:
                for question in batch:
                    self._tensors([question])
            frame = asked_frame(batch[0])
            raise ModelError(
                f"{batch[0].subject.id}, {frame.plane} slice {frame.index}: the processor of {self._checkpoint.id} "
                f"rejects this image of {frame.shape[0]} x {frame.shape[1]} pixels ({error})"
            ) from error

    def _inputs(self, batch: Sequence[Question]) -> Any:
        """The processor's tensors for a batch: each question's turns, padded on the left."""
        inputs = self._checkpoint.processor.apply_chat_template(
            [self.turns(question) for question in batch],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        inputs.pop("labels", None)  # PaliGemma's processor makes them from every prompt
        return inputs

    def _shape(self, question: Question) -> tuple[int, int]:
        """Rows and columns that an answer can use: those of the slice as shown."""
        return self._view.shown_frame(asked_frame(question)).shape

    def _limit(self, question: Question) -> int:
        """The most tokens of an answer; one in a format cannot be longer than its longest text and the end."""
        task = question.task
        if self._modes[task] == "free":
            return self._free_limit(task)
        return 1 + longest_answer(task, self._shape(question))

    def _free_limit(self, task: str) -> int:
        return self.decoding.max_new_tokens or self._prompts[task].max_new_tokens

    def _prompt_text(self, task: str) -> str:
        free = self._modes.get(task, "free") == "free"
        return prompt_identity(self._prompts[task], self._free_limit(task) if free else None)

    def _check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError for what cannot be asked; the length of a prompt depends on task and image size alone."""
        kinds: dict[tuple[str, tuple[int, int]], Question] = {}
        for question in questions:
            check_task(self.name, self.tasks, question)
            self._view.check(asked_frame(question))
            kinds.setdefault((question.task, asked_frame(question).shape), question)
        context = self._checkpoint.context
        for (task, shape), question in kinds.items():
            prompt, limit = self._tensors([question])["input_ids"].shape[1], self._limit(question)
            if context is not None and prompt + limit > context:
                raise ModelError(
                    f"{self.name}: the prompt for {task} with a {shape[0]} x {shape[1]} image takes {prompt} tokens "
                    f"and its answer up to {limit}, more than the model's context of {context}. Prompts are never "
                    "truncated: shorten the prompt, or lower max_new_tokens"
                )


def _size_text(image_processor: Any) -> str:
    """The size that images are resized to, as the processor states it."""
    size = getattr(image_processor, "size", None)
    return json.dumps({key: value for key, value in dict(size or {}).items() if value is not None}, sort_keys=True)
