"""Several answers to one input: the image and the prompt are encoded once, and all answers go on from there."""

import copy
import logging
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from gliobench.models.checkpoints.batches import is_out_of_memory
from gliobench.models.language.prompted import along_tokens, without_last
from gliobench.models.language.shared_attention import SharedLayer, sharing

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-3}  # of the logits' spread
HALF_TOLERANCE = 0.1


class SharedPrompt:
    """One prompt with its image, encoded when it is first asked for. `inputs`: a processor's tensors for it alone."""

    def __init__(self, model: Any, inputs: Any) -> None:
        self._model = model
        self._inputs = inputs
        self._cache: Any = None

    def copies(self, times: int, room: int) -> dict[str, Any]:
        """What `generate` takes to write `times` answers of up to `room` tokens to the prompt: its tokens, and the
        states behind all of them but the last."""
        if self._cache is None:
            self._cache = _first_step(self._model, without_last(self._inputs)).past_key_values
        cache = copy.copy(self._cache)
        cache.layers = [_repeated(layer, times, room) for layer in self._cache.layers]
        tokens = {key: value.repeat_interleave(times, 0) for key, value in along_tokens(self._inputs).items()}
        return {**tokens, "past_key_values": cache}


def _repeated(layer: Any, times: int, room: int) -> Any:
    """A layer of one prompt `times` in a row, of which writing changes nothing in the layer itself."""
    if type(layer) is DynamicLayer:
        return SharedLayer(layer, times, room)
    layer = copy.deepcopy(layer)
    layer.batch_repeat_interleave(times)
    return layer


def can_share(model: Any, inputs: Any) -> bool:
    """Whether answers may go on from an encoded prompt: whether its next token's logits are those of the whole prompt.

    Some families keep more from an image than the cache holds (Qwen-VL: the tokens' places in three dimensions), and
    some caches cannot be copied; the reason is logged, and such a model is asked the plain way.
    """
    whole = _first_step(model, inputs).logits[0]
    try:
        prompt = SharedPrompt(model, inputs).copies(2, room=1)
        with sharing(model):
            shared = _first_step(model, prompt).logits[0][:1]
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        log.warning("repeats are asked one by one, as %s cannot go on from a prompt: %s", type(model).__name__, error)
        return False
    apart, spread = (whole - shared).abs().max().item(), whole.std().item()
    if apart <= TOLERANCE.get(model.dtype, HALF_TOLERANCE) * spread:
        return True
    log.warning(
        "repeats are asked one by one: after a prompt that was encoded before, %s gives other logits (%.2g apart, "
        "their spread is %.2g)",
        type(model).__name__,
        apart,
        spread,
    )
    return False


def _first_step(model: Any, inputs: Any) -> Any:
    """`generate`'s output of one token: its logits and the cache behind it."""
    return model.generate(**inputs, do_sample=False, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
