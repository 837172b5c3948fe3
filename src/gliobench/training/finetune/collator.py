"""From examples to the input of the loss: the prompt as in inference, then the true answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gliobench.models.language.prompted import longer
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.training.finetune.examples import Example

IGNORED = -100  # what transformers leaves out of the loss


class AnswerCollator:
    """Batches of examples, rendered on demand: memory does not grow with their number.

    The prompt's tensors are those of inference; the tokens of the answer and of the end of the turn are appended, as
    generation would, so tokenising the two together never matters. The loss is on the appended tokens alone: prompt,
    image and padding are `IGNORED`.
    """

    def __init__(self, model: VisionLanguageModel, examples: Sequence[Example]) -> None:
        self.model, self.examples = model, examples
        self.tokenizer = model.checkpoint.processor.tokenizer
        self.before, self.after = self._around(examples[0])

    def __call__(self, rows: Sequence[Mapping[str, int]]) -> dict[str, Tensor]:
        """`rows`: the examples' numbers, each as {"images": number}."""
        examples = [self.examples[row["images"]] for row in rows]
        inputs = self.model.inputs([example.question for example in examples])
        answers = [self.answer(example) for example in examples]
        return with_answers(self.model.checkpoint.model, inputs, answers, self.tokenizer.pad_token_id)

    def answer(self, example: Example) -> list[int]:
        """The target tokens: the answer, verbatim, and the end of its turn."""
        text = self.model.answer_text(example.question, example.truth)
        tokens: list[int] = self.tokenizer(self.before + text + self.after, add_special_tokens=False)["input_ids"]
        ends = self.model.checkpoint.end_ids
        end = next((place for place, token in enumerate(tokens) if token in ends), None)
        return [*tokens, self.tokenizer.eos_token_id] if end is None else tokens[: end + 1]

    def _around(self, example: Example) -> tuple[str, str]:
        """What the chat template inserts between the prompt and an answer, and after it."""
        turns, text = self.model.turns(example.question), self.model.answer_text(example.question, example.truth)
        said = {"role": "assistant", "content": [{"type": "text", "text": text}]}
        render: Callable[..., str] = self.model.checkpoint.processor.apply_chat_template
        asked, whole = render(turns, add_generation_prompt=True), render([*turns, said])
        # A template can open a new answer differently from a past one: then only the text follows.
        before, found, after = whole[len(asked) :].partition(text) if whole.startswith(asked) else ("", "", "")
        return (before, after) if found else ("", "")


def with_answers(
    model: Any, inputs: Mapping[str, Any], answers: Sequence[Sequence[int]], pad: int
) -> dict[str, Tensor]:
    """A batch of prompts, padded on the left, with an answer after each, padded on the right, and `labels`."""
    longest = max(len(answer) for answer in answers)
    batch = longer(model, inputs, longest)
    written = torch.tensor([[*answer, *[pad] * (longest - len(answer))] for answer in answers])
    there = torch.tensor([[1] * len(answer) + [0] * (longest - len(answer)) for answer in answers])
    prompts = inputs["input_ids"].shape[1]
    batch["input_ids"][:, prompts:] = written
    batch["attention_mask"][:, prompts:] = there
    batch["labels"] = torch.full_like(batch["input_ids"], IGNORED)
    batch["labels"][:, prompts:] = written.masked_fill(there == 0, IGNORED)
    return {**inputs, **batch}
