"""Several answers to one input: image and prompt are encoded once, and all answers continue from there."""

import copy
import logging
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from gliobench.models.checkpoints.batches import is_out_of_memory
from gliobench.models.language.prompted import along_tokens, without_last
from gliobench.models.language.shared_attention import SharedLayer, sharing

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-3}  # relative to the logits' range
HALF_TOLERANCE = 0.1


class SharedPrompt:
    """One prompt with its image, encoded at first use. `inputs`: a processor's tensors for it alone."""

    def __init__(self, model: Any, inputs: Any) -> None:
        self._model = model
        self._inputs = inputs
        self._cache: Any = None

    def copies(self, times: int, room: int) -> dict[str, Any]:
        """Arguments of `generate` for `times` answers of up to `room` tokens to the prompt: its tokens, and the cached
        states of all of them but the last."""
        if self._cache is None:
            self._cache = _first_step(self._model, without_last(self._inputs)).past_key_values
        cache = copy.copy(self._cache)
        cache.layers = [_repeated(layer, times, room) for layer in self._cache.layers]
        tokens = {key: value.repeat_interleave(times, 0) for key, value in along_tokens(self._inputs).items()}
        return {**tokens, "past_key_values": cache}


def _repeated(layer: Any, times: int, room: int) -> Any:
    """A layer of one prompt repeated `times`; generating does not change the layer itself."""
    if type(layer) is DynamicLayer:
        return SharedLayer(layer, times, room)
    layer = copy.deepcopy(layer)
    layer.batch_repeat_interleave(times)
    return layer


def can_share(model: Any, inputs: Any) -> bool:
    """Whether answers can continue from an encoded prompt: whether the next token's logits equal the whole prompt's.

    Some families need more of an image than the cache holds (Qwen-VL: the tokens' positions in three dimensions), and
    some caches cannot be copied; the reason is logged, and such a model is asked without sharing.
    """
    whole = _first_step(model, inputs).logits[0]
    try:
        prompt = SharedPrompt(model, inputs).copies(2, room=1)
        with sharing(model):
            shared = _first_step(model, prompt).logits[0][:1]
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        log.warning(
            "repeats are asked one by one, as %s cannot continue from an encoded prompt: %s",
            type(model).__name__,
            error,
        )
        return False
    apart, spread = (whole - shared).abs().max().item(), whole.std().item()
    if apart <= TOLERANCE.get(model.dtype, HALF_TOLERANCE) * spread:
        return True
    log.warning(
        "repeats are asked one by one: from an encoded prompt, %s gives other logits (difference %.2g, range %.2g)",
        type(model).__name__,
        apart,
        spread,
    )
    return False


def _first_step(model: Any, inputs: Any) -> Any:
    """`generate`'s output of one token: its logits and the cache."""
    return model.generate(**inputs, do_sample=False, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
