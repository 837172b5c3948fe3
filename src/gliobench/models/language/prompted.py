"""A processor's tensors for a batch of prompts, extended or shortened."""

from collections.abc import Sequence
from typing import Any

import torch

# `token_type_ids` of an answer where they differ from the prompt's: PaliGemma's prompt attends to all of itself (0),
# its answer only to earlier tokens (1).
ANSWER_KINDS = {"paligemma": 1}


def longer(model: Any, inputs: Any, tokens: int) -> dict[str, torch.Tensor]:
    """The tensors along the prompts' tokens, with room for `tokens` of an answer after each; their attention is that of
    an answer of `model`. Their ids are not set."""
    made = {
        key: torch.cat([value, value[:, -1:].expand(-1, tokens, *value.shape[2:])], 1)
        for key, value in along_tokens(inputs).items()
    }
    kind = ANSWER_KINDS.get(model.config.model_type)
    if kind is not None:
        made["token_type_ids"][:, inputs["input_ids"].shape[1] :] = kind
    return made


def continued(model: Any, inputs: Any, tokens: Sequence[int]) -> dict[str, torch.Tensor]:
    """The same prompts with `tokens` of an answer after each."""
    made = longer(model, inputs, len(tokens))
    ids = made["input_ids"]
    ids[:, ids.shape[1] - len(tokens) :] = torch.tensor(tokens, dtype=ids.dtype, device=ids.device)
    return {**inputs, **made}


def without_last(inputs: Any) -> dict[str, torch.Tensor]:
    """The same prompts without the last token of each."""
    return {**inputs, **{key: value[:, :-1] for key, value in along_tokens(inputs).items()}}


def along_tokens(inputs: Any) -> dict[str, torch.Tensor]:
    """The tensors of shape (prompts, tokens, ...): the tokens themselves, their masks and their kinds, no images."""
    shape = inputs["input_ids"].shape
    return {key: value for key, value in inputs.items() if value.shape[:2] == shape}
