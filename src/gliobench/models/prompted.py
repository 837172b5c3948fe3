"""A processor's tensors for a batch of prompts, made longer or shorter."""

from collections.abc import Sequence
from typing import Any

import torch


def continued(inputs: Any, tokens: Sequence[int]) -> dict[str, torch.Tensor]:
    """The same prompts with `tokens` written behind each; they see what a prompt's last token sees."""
    more = len(tokens)
    longer = {
        key: torch.cat([value, value[:, -1:].expand(-1, more, *value.shape[2:])], 1)
        for key, value in along_tokens(inputs).items()
    }
    ids = longer["input_ids"]
    ids[:, ids.shape[1] - more :] = torch.tensor(tokens, dtype=ids.dtype, device=ids.device)
    return {**inputs, **longer}


def without_last(inputs: Any) -> dict[str, torch.Tensor]:
    """The same prompts without the last token of each."""
    return {**inputs, **{key: value[:, :-1] for key, value in along_tokens(inputs).items()}}


def along_tokens(inputs: Any) -> dict[str, torch.Tensor]:
    """The tensors of shape (prompts, tokens, ...): the tokens themselves, their masks and their kinds, no images."""
    shape = inputs["input_ids"].shape
    return {key: value for key, value in inputs.items() if value.shape[:2] == shape}
