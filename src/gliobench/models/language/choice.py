"""The class from the probabilities of its answers, without generating any of them."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from gliobench.cohort.problem import Problem
from gliobench.models.language.prompted import continued
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import task_about


@dataclass(frozen=True)
class Choices:
    """The answers, a class each or that there is no target, in a tokenizer's tokens, in the order of their numbers.

    `common`: the tokens that all begin with. `rest`: what follows, one or more tokens each.
    """

    texts: tuple[str, ...]
    common: tuple[int, ...]
    rest: tuple[tuple[int, ...], ...]

    @property
    def copies(self) -> int:
        """How often a prompt is repeated in a batch: once where the next token alone distinguishes the answers."""
        return 1 if all(len(tokens) == 1 for tokens in self.rest) else len(self.rest)


def class_choices(tokenizer: Any, problem: Problem) -> Choices:
    """The answers as the task writes them, such as `Choice: 1`."""
    task = task_about(problem, GRADE.name)
    texts = tuple(task.write(choice) for choice in task.choices)
    tokens = [tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    common = tuple(ids[0] for ids in takewhile(lambda ids: len(set(ids)) == 1, zip(*tokens, strict=False)))
    return Choices(texts, common, tuple(ids[len(common) :] for ids in tokens))


def choice_logprobs(model: Any, inputs: Any, choices: Choices) -> torch.Tensor:
    """Natural logarithms of the answers' probabilities given each prompt: (prompts, answers) float32 on the CPU.

    `inputs`: the prompts, padded on the left, each `choices.copies` times in a row. Where the answers differ in one
    token, their common beginning is left out of the sum (it is the same for all) and the model runs once.
    Otherwise each answer is forced, token by token, after a copy of the prompt, and all of its tokens count.
    """
    if choices.copies == 1:
        logits = _next_logits(model, continued(model, inputs, choices.common), 1)[:, 0]
        return logits.log_softmax(-1)[:, [tokens[0] for tokens in choices.rest]].cpu()
    answers = [choices.common + tokens for tokens in choices.rest]
    length, prompts = max(map(len, answers)), inputs["input_ids"].shape[0] // len(answers)
    written = torch.tensor([answer + (answer[-1],) * (length - len(answer)) for answer in answers] * prompts)
    counts = torch.tensor([[place < len(answer) for place in range(length)] for answer in answers] * prompts)
    logits = _next_logits(model, inputs, length, written.to(inputs["input_ids"].device)).cpu()
    each = logits.log_softmax(-1).gather(-1, written.unsqueeze(-1)).squeeze(-1)
    return (each * counts).sum(-1).reshape(prompts, len(answers))


def _next_logits(model: Any, inputs: Any, steps: int, forced: torch.Tensor | None = None) -> torch.Tensor:
    """The model's own logits of the next `steps` tokens, (rows, steps, tokens) float32; `forced`: the tokens to
    generate."""
    prompt = inputs["input_ids"].shape[1]

    def force(input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if forced is None:
            return scores
        only = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, forced[:, [input_ids.shape[1] - prompt]], 0.0)

    output = model.generate(
        **inputs,
        do_sample=False,
        num_beams=1,
        max_new_tokens=steps,
        min_new_tokens=steps,
        eos_token_id=None,
        output_logits=True,
        return_dict_in_generate=True,
        logits_processor=[force],
    )
    return torch.stack(output.logits, dim=1)
