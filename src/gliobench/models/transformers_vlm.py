"""Any image-text-to-text model of transformers, asked in batches about single slices."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from gliobench.models.asking import asked_frame, check_names, check_task, prompt_identity
from gliobench.models.checkpoint import quiet
from gliobench.models.conversation import Shot, Turn, question_turn, read_answer, shot_turns, shots_identity
from gliobench.models.decoding import Decoding, logits_processors
from gliobench.models.errors import ModelError
from gliobench.models.held import held_checkpoint
from gliobench.models.prediction import Prediction, Question, Settings
from gliobench.models.views.view import View
from gliobench.tasks.registry import TASKS, Prompt

__all__ = ["Decoding", "VisionLanguageModel"]


class VisionLanguageModel:
    """A vision-language model in this process: a view of one slice and the task's prompt in, free text out.

    `checkpoint`: a folder or a hub id (`gliobench.models.checkpoint.load_checkpoint` says what is accepted).
    `name`: how tables call it; default the folder's name or the hub id. `tasks`: those that may be asked.
    `prompts`: another prompt than a task's own. `view`: what is shown of a slice. `shots`: by task, slices with their
    true answers, said before every question. `batch_size`: how many slices at once; it does not change the answers
    (up to rounding: in bfloat16 two nearly equal tokens can change places).
    Raises ModelError for a checkpoint that cannot be used and for any bad argument.
    """

    per_slice = True

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        name: str | None = None,
        tasks: Collection[str] = tuple(TASKS),
        prompts: Mapping[str, Prompt] | None = None,
        view: View | None = None,
        shots: Mapping[str, Sequence[Shot]] | None = None,
        decoding: Decoding | None = None,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int = 16,
        revision: str | None = None,
    ) -> None:
        check_names("task", {*tasks, *(prompts or ())}, TASKS)
        if batch_size < 1:
            raise ModelError(f"batch_size must be 1 or more, got {batch_size}")
        self.tasks = frozenset(tasks)
        self.decoding = decoding or Decoding()
        self._prompts = {task: (prompts or {}).get(task, TASKS[task].prompt) for task in TASKS}
        self._view = view or View()
        self._shots = {task: tuple((shots or {}).get(task, ())) for task in TASKS}
        self._shot_turns = {task: shot_turns(self._shots[task], self._prompts[task], self._view) for task in TASKS}
        self._batch_size = batch_size
        self._checkpoint = held_checkpoint(checkpoint, revision=revision, dtype=dtype, device=device)
        self.name = name or self._checkpoint.id
        self.settings = self._settings()

    def _settings(self) -> Settings:
        """Everything that can change an answer: weights, processor, image, prompts and decoding."""
        checkpoint = self._checkpoint
        image_processor = checkpoint.processor.image_processor
        return {
            "engine": "transformers",
            "checkpoint": checkpoint.id,
            "revision": checkpoint.revision,
            "content": checkpoint.content,
            "adapter": None,
            "dtype": str(checkpoint.model.dtype).removeprefix("torch."),
            **self._view.identity,
            **shots_identity(self._shots, self._view),
            "image_processor": type(image_processor).__name__,
            "image_size": _size_text(image_processor),
            **{f"prompt_{task}": self._prompt_text(task) for task in self._prompts},
            **self.decoding.settings,
        }

    def predict(self, questions: Sequence[Question]) -> Iterator[Prediction]:
        """Yield one prediction a question, in the order asked; images are made batch by batch.

        Raises ModelError before anything is asked: a task that is not this model's, a question about a whole volume,
        or a prompt that does not fit the model's context together with the image and the longest answer.
        """
        self._check(questions)
        size = self._batch_size
        batches = (questions[start : start + size] for start in range(0, len(questions), size))
        return (prediction for batch in batches for prediction in self._predict_batch(batch))

    def _predict_batch(self, batch: Sequence[Question]) -> list[Prediction]:
        start = perf_counter()
        answers = self._generate(batch)
        seconds = (perf_counter() - start) / len(batch)
        return [self._prediction(question, ids, seconds) for question, ids in zip(batch, answers, strict=True)]

    def _generate(self, batch: Sequence[Question]) -> list[list[int]]:
        """The new tokens of each answer, as generated: up to the batch's longest limit, padded behind the end."""
        model = self._checkpoint.model
        with quiet(), torch.inference_mode():
            inputs = self._inputs(batch).to(model.device, model.dtype)
            output = model.generate(
                **inputs,
                do_sample=False,  # a temperature acts through the logits processors
                num_beams=1,
                max_new_tokens=max(self._limit(question.task) for question in batch),
                logits_processor=logits_processors(self.decoding, batch),
            )
        answers: list[list[int]] = output[:, inputs["input_ids"].shape[1] :].tolist()
        return answers

    def _prediction(self, question: Question, ids: list[int], seconds: float) -> Prediction:
        ids = ids[: self._limit(question.task)]
        end = next((place for place, token in enumerate(ids) if token in self._checkpoint.end_ids), None)
        kept = ids if end is None else ids[: end + 1]
        text = self._checkpoint.processor.tokenizer.decode(
            kept, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Prediction(
            question=question,
            answer=read_answer(question, text, end is None, self._view),
            text=text,
            tokens=len(kept),
            finish="length" if end is None else "stop",
            seconds=seconds,
        )

    def _inputs(self, batch: Sequence[Question]) -> Any:
        """The processor's tensors for a batch: each question's turns, padded on the left."""
        return self._checkpoint.processor.apply_chat_template(
            [self._turns(question) for question in batch],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _turns(self, question: Question) -> list[Turn]:
        asked = question_turn(question, self._prompts[question.task], self._view)
        return [*self._shot_turns[question.task], asked]

    def _limit(self, task: str) -> int:
        return self.decoding.max_new_tokens or self._prompts[task].max_new_tokens

    def _prompt_text(self, task: str) -> str:
        return prompt_identity(self._prompts[task], self._limit(task))

    def _check(self, questions: Sequence[Question]) -> None:
        """Raise ModelError for what cannot be asked; the length of a prompt depends on task and image size alone."""
        kinds: dict[tuple[str, tuple[int, int]], Question] = {}
        for question in questions:
            check_task(self.name, self.tasks, question)
            self._view.check(asked_frame(question))
            kinds.setdefault((question.task, asked_frame(question).shape), question)
        context = self._checkpoint.context
        if context is None:
            return
        for (task, shape), question in kinds.items():
            prompt, limit = self._inputs([question])["input_ids"].shape[1], self._limit(task)
            if prompt + limit > context:
                raise ModelError(
                    f"{self.name}: the prompt for {task} with a {shape[0]} x {shape[1]} image takes {prompt} tokens "
                    f"and its answer up to {limit}, more than the model's context of {context}. Nothing is ever cut: "
                    "shorten the prompt, or lower max_new_tokens"
                )


def _size_text(image_processor: Any) -> str:
    """The size that images are brought to, as the processor states it."""
    size = getattr(image_processor, "size", None)
    return json.dumps({key: value for key, value in dict(size or {}).items() if value is not None}, sort_keys=True)
