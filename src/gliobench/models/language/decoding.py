"""How a language model's next token is chosen."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from gliobench.models.base.prediction import Question, Settings


@dataclass(frozen=True)
class Decoding:
    """Greedy where `temperature` is 0, else sampling; `top_k` (0: all tokens), `top_p` and `min_p` then narrow the
    choice, in this order.

    `max_new_tokens` None: the limit of each task's prompt. Raises ValueError out of range.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    max_new_tokens: int | None = None
    top_k: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be 0 (greedy) or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie above 0 and at most at 1, got {self.top_p}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must lie between 0 and 1, got {self.min_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (all tokens) or more, got {self.top_k}")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more, got {self.max_new_tokens}")

    @property
    def settings(self) -> Settings:
        """Everything of it that can change an answer: greedy decoding depends on neither seed, top_k, top_p nor
        min_p."""
        sampled = self.temperature > 0
        narrowed = (
            {"top_k": self.top_k} if sampled and self.top_k else {}
        )  # absent from keys of versions before it existed
        return {
            **narrowed,
            "temperature": float(self.temperature),
            "top_p": float(self.top_p) if sampled else None,
            "min_p": float(self.min_p) if sampled else None,
            "seed": self.seed if sampled else None,
            "max_new_tokens": self.max_new_tokens,
        }


def question_seed(seed: int, question: Question) -> int:
    """The first 8 bytes of SHA-256 over seed, subject, task, plane, slice and repeat: independent of the batch."""
    frame = question.frame
    place = (frame.plane, frame.index) if frame else (None, None)
    text = json.dumps([seed, question.subject.id, question.task, *place, question.repeat])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


class Draw:
    """Samples a batch's next tokens, each row with one number from its own generator.

    The token drawn is the first at which the cumulative probability exceeds a uniform number (inverse transform
    sampling); only it remains, so that greedy decoding takes it, and no row's draw depends on its neighbours. The
    numbers come from the CPU, so that a GPU draws the same.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        numbers = [torch.rand((), dtype=torch.float64, generator=generator) for generator in self.generators]
        sums = scores.double().softmax(-1).cumsum(-1)
        passed = torch.stack(numbers).to(sums.device).unsqueeze(-1) * sums[:, -1:]
        drawn = torch.searchsorted(
            sums, passed, right=True
        )  # never a token of probability 0: it does not increase the sum
        return torch.full_like(scores, -torch.inf).scatter_(-1, drawn, 0.0)


def logits_processors(
    decoding: Decoding, questions: Sequence[Question], mask: Callable[..., torch.Tensor] | None = None
) -> LogitsProcessorList:
    """The logits processors of a batch, applied before the largest is taken. `mask` comes first: tokens it forbids are
    neither counted by `top_k`, `top_p` and `min_p` nor drawn."""
    steps = LogitsProcessorList([mask] if mask else [])
    if decoding.temperature == 0:
        return steps
    steps.append(TemperatureLogitsWarper(float(decoding.temperature)))
    if decoding.top_k > 0:
        steps.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        steps.append(TopPLogitsWarper(decoding.top_p))
    if decoding.min_p > 0:
        steps.append(MinPLogitsWarper(decoding.min_p))
    steps.append(Draw([question_seed(decoding.seed, question) for question in questions]))
    return steps
