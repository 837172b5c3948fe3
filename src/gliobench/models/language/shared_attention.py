"""Attention of many answers to one prompt, whose keys and values are stored once and read once per token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward as plain_attention
from transformers.masking_utils import sdpa_mask

NAME = "gliobench_shared_prompt"


class States(NamedTuple):
    """Keys or values: the prompt's, (1, heads, tokens, size), and those after it, (answers, heads, tokens, size)."""

    prompt: torch.Tensor
    own: torch.Tensor

    @property
    def shape(self) -> torch.Size:
        """The full shape, as if the prompt's states were copied for each answer."""
        answers, heads, written, size = self.own.shape
        return torch.Size((answers, heads, self.prompt.shape[-2] + written, size))


class SharedLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values of a prompt, shared by `times` answers, with room for `room` tokens of each.

    transformers' own layer holds a copy for each answer, and copies all of them for every token.
    """

    def __init__(self, one: DynamicLayer, times: int, room: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = one.keys.dtype, one.keys.device, True
        self.keys, self.values = (states.expand(times, -1, -1, -1) for states in (one.keys, one.values))
        self._room, self._written = room, 0
        self._spaces: tuple[torch.Tensor, ...] = ()

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """The states of the prompt and of all tokens after it, as `States`, for `shared_attention`."""
        if not self._spaces:  # cross-attention layers over an image never need any
            self._spaces = tuple(_room(states, self._room) for states in (key_states, value_states))
        start, self._written = self._written, self._written + key_states.shape[-2]
        for space, states in zip(self._spaces, (key_states, value_states), strict=True):
            space[:, :, start : self._written] = states
        return tuple(
            States(prompt[:1], space[:, :, : self._written])
            for prompt, space in zip((self.keys, self.values), self._spaces, strict=True)
        )

    def get_seq_length(self) -> int:
        """Tokens of the prompt and of the answer so far."""
        return int(self.keys.shape[-2]) + self._written


def _room(states: torch.Tensor, tokens: int) -> torch.Tensor:
    answers, heads, _, size = states.shape
    return states.new_empty((answers, heads, tokens, size))


def shared_attention(
    module: Any,
    query: torch.Tensor,
    key: States | torch.Tensor,
    value: States | torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> Any:
    """Attention as transformers' interface has it: `query` (answers, heads, tokens, size), one token at a time where
    the states are shared; returns (answers, tokens, heads, size) and no weights.

    The queries of all answers are multiplied with the prompt's keys in one product (Juravsky et al. 2024, Hydragen),
    with their own keys answer by answer, and one softmax covers both. Raises ValueError for what it cannot compute.
    """
    if isinstance(key, torch.Tensor) and (key.stride(0) or len(key) == 1):  # each answer has its own
        return plain_attention(module, query, key, value, attention_mask, scaling=scaling, **options)
    if unknown := [name for name in ("softcap", "position_bias", "s_aux") if options.get(name) is not None]:
        raise ValueError(f"attention with {', '.join(unknown)} cannot share a prompt")
    keys, values = _states(key), _states(value)
    answers, heads, tokens, size = query.shape
    if tokens > 1 and attention_mask is None:
        raise ValueError(f"{tokens} tokens at once after a shared prompt, without a mask")
    groups, length = keys.prompt.shape[1], keys.prompt.shape[-2]
    rows = query.reshape(answers, groups, -1, size)  # the heads that share a key head, stacked
    scores = torch.cat([_fold(rows, keys.prompt.mT), rows @ keys.own.mT], -1).reshape(answers, heads, tokens, -1)
    scores = scores * (size**-0.5 if scaling is None else scaling)
    if attention_mask is not None:
        seen = attention_mask[..., : scores.shape[-1]]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen
    shares = scores.softmax(-1, torch.float32).to(query.dtype).reshape(answers, groups, -1, scores.shape[-1])
    output = _fold(shares[..., :length], values.prompt) + shares[..., length:] @ values.own
    return output.reshape(answers, heads, tokens, size).transpose(1, 2).contiguous(), None


def _states(states: States | torch.Tensor) -> States:
    """A tensor without a row per answer belongs to the prompt, with no tokens after it."""
    return states if isinstance(states, States) else States(states[:1], states[:, :, :0])


def _fold(rows: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
    """(answers, groups, rows, a) times (1, groups, a, b): one product per group, over the rows of all answers."""
    answers, groups, count, _ = rows.shape
    product = rows.transpose(0, 1).reshape(groups, answers * count, -1) @ prompt[0]
    return product.view(groups, answers, count, -1).transpose(0, 1)


@contextmanager
def sharing(model: Any) -> Iterator[None]:
    """While open, the model's language part uses `shared_attention`."""
    text = model.config.get_text_config()
    before = text._attn_implementation
    text._attn_implementation = NAME
    try:
        yield
    finally:
        text._attn_implementation = before


AttentionInterface.register(NAME, shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
