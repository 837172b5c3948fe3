"""Generated answers: tokens for a batch of prompts, and their text."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transformers import LogitsProcessorList

from gliobench.models.checkpoints.load import Checkpoint


class Written(NamedTuple):
    """One answer. `tokens`: how many it took, the one that ends it included. `finished`: it ended with an end token."""

    text: str
    tokens: int
    finished: bool


def write(
    checkpoint: Checkpoint, inputs: Mapping[str, Any], limits: Sequence[int], processors: LogitsProcessorList
) -> list[Written]:
    """Greedy answers to a batch of prompts. `limits`: the most tokens of each. `processors`: applied to the logits
    before the largest is taken; sampling with a temperature happens there."""
    output = checkpoint.model.generate(
        **inputs, do_sample=False, num_beams=1, max_new_tokens=max(limits), logits_processor=processors
    )
    answers: list[list[int]] = output[:, inputs["input_ids"].shape[1] :].tolist()
    return [_read(checkpoint, ids[:limit]) for ids, limit in zip(answers, limits, strict=True)]


def _read(checkpoint: Checkpoint, ids: list[int]) -> Written:
    """The text up to its end token; the rest is padding."""
    end = next((place for place, token in enumerate(ids) if token in checkpoint.end_ids), None)
    kept = ids if end is None else ids[: end + 1]
    text = checkpoint.processor.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Written(text, len(kept), end is not None)
