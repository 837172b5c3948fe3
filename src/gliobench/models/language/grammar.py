"""Constrained decoding in this process: which tokens may come next, for each row of a batch."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.load import Checkpoint
from gliobench.tasks.base import Numbers
from gliobench.tasks.mask import MOST_RUNS
from gliobench.tasks.registry import TASKS, task_about

Shape = tuple[int, int]


@lru_cache(maxsize=64)
def frame_pattern(task: str, shape: Shape, problem: Problem = GLIOMA) -> str:
    """The task's format as a regular expression that only answers inside an image of `shape` (rows, columns) follow.

    Runs of a mask do not end before they start, lines hold at most `MOST_RUNS` of them, and there are no more lines
    than rows: an answer cannot be endless.
    """
    rows, columns = shape
    run = _any_of(f"{first}-{_any_of(range(first, columns))}" for first in range(columns))
    return task_about(problem, task).pattern(
        Numbers(_any_of(range(rows)), _any_of(range(columns)), run, f"{{0,{MOST_RUNS - 1}}}", f"{{0,{rows - 1}}}")
    )


def longest_answer(task: str, shape: Shape) -> int:
    """Characters of the longest text that matches `frame_pattern`: an upper bound of its tokens."""
    return max(len(TASKS[task].longest(shape)), len("none"))


def _any_of(texts: Iterable[object]) -> str:
    return f"({'|'.join(map(str, texts))})"


class Grammar:
    """The formats in the tokens of one checkpoint, each compiled once. Raises ModelError without a fast tokenizer."""

    def __init__(self, checkpoint: Checkpoint, problem: Problem = GLIOMA) -> None:
        tokenizer = checkpoint.processor.tokenizer
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise ModelError(
                f"answers of {checkpoint.id} cannot be constrained: its tokenizer is a {type(tokenizer).__name__} "
                "and not one of the fast ones (tokenizer.json); use answer: free"
            )
        self._end_ids, self._problem = checkpoint.end_ids, problem
        size = max(checkpoint.model.config.get_text_config().vocab_size, len(tokenizer))
        self._tokens = from_tokenizer(tokenizer, n_vocab=size, eos_token=sorted(checkpoint.end_ids))
        self._compiled: dict[tuple[str, Shape], LLMatcher] = {}

    def mask(self, formats: Sequence[tuple[str, Shape] | None]) -> "GrammarMask":
        """A mask that restricts each row of a batch to its task's format for an image of that shape; None: a free
        row."""
        matchers = [None if key is None else self._matcher(*key) for key in formats]
        return GrammarMask(self._tokens.vocab_size, self._end_ids, matchers)

    def _matcher(self, task: str, shape: Shape) -> LLMatcher:
        """A new automaton at the beginning of an answer."""
        key = (task, shape)
        if key not in self._compiled:
            matcher = LLMatcher(self._tokens, LLMatcher.grammar_from_regex(frame_pattern(task, shape, self._problem)))
            assert not matcher.is_error(), matcher.get_error()
            self._compiled[key] = matcher
        return self._compiled[key].deep_copy()


class GrammarMask:
    """A logits processor: sets the logits of tokens that a row's format does not allow next to -inf.

    After a complete answer only the tokens that end it, `end_ids`, are allowed. For one batch only: it tracks the
    generated tokens.
    """

    def __init__(self, vocabulary: int, end_ids: frozenset[int], matchers: Sequence[LLMatcher | None]) -> None:
        self._vocabulary = vocabulary
        self._end_ids = sorted(end_ids)
        self._matchers = matchers
        self._begun = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._begun:
            self._follow(input_ids[:, -1].tolist())
        self._begun = True
        mask = torch.from_numpy(self._allowed()[:, : scores.shape[1]])
        return scores.masked_fill(~mask.to(scores.device), -torch.inf)

    def _follow(self, tokens: list[int]) -> None:
        for matcher, token in zip(self._matchers, tokens, strict=True):
            if matcher is not None and not matcher.is_stopped():
                taken = matcher.consume_token(token)
                assert taken, matcher.get_error()

    def _allowed(self) -> NDArray[np.bool_]:
        """(rows, vocabulary): which tokens may come next. A matcher stops where only the end can follow."""
        bits = allocate_token_bitmask(len(self._matchers), self._vocabulary)
        for row, matcher in enumerate(self._matchers):
            if matcher is not None and not matcher.is_stopped():
                fill_next_token_bitmask(matcher, bits, row)
        allowed = np.unpackbits(bits.view(np.uint8), axis=1, count=self._vocabulary, bitorder="little").astype(bool)
        stopped = [matcher is not None and matcher.is_stopped() for matcher in self._matchers]
        allowed[stopped] = np.isin(np.arange(self._vocabulary), self._end_ids)
        return allowed
