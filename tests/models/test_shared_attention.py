"""Attention over a prompt that stands once, held to torch's own over as many copies of it."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.cache_utils import DynamicLayer

from gliobench.models.language.shared_attention import SharedLayer, shared_attention

ANSWERS, HEADS, GROUPS, SIZE, PROMPT = 3, 4, 2, 8, 5


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _layer(room: int) -> tuple[SharedLayer, torch.Tensor, torch.Tensor]:
    one = DynamicLayer()
    keys, values = (_random(1, GROUPS, PROMPT, SIZE, seed=seed) for seed in (1, 2))
    one.update(keys, values)
    return SharedLayer(one, ANSWERS, room), keys, values


@pytest.mark.parametrize("masked", ["none", "bool", "float"])
def test_it_is_the_attention_over_copies(masked: str) -> None:
    layer, keys, values = _layer(room=4)
    keys, values = (states.expand(ANSWERS, -1, -1, -1) for states in (keys, values))
    for step in range(4):
        new = [_random(ANSWERS, GROUPS, 1, SIZE, seed=10 * step + place) for place in (3, 4)]
        keys, values = torch.cat([keys, new[0]], 2), torch.cat([values, new[1]], 2)
        query = _random(ANSWERS, HEADS, 1, SIZE, seed=10 * step + 5)
        seen = torch.rand(ANSWERS, 1, 1, keys.shape[2], generator=torch.Generator().manual_seed(step)) < 0.7
        seen[..., 0] = True
        mask = {"none": None, "bool": seen, "float": torch.zeros(seen.shape).masked_fill(~seen, -1e9)}[masked]
        shared = layer.update(*new)
        assert shared[0].shape == keys.shape
        assert layer.get_seq_length() == keys.shape[2]
        found, _ = shared_attention(None, query, *shared, mask, scaling=0.3)
        expected = scaled_dot_product_attention(query, keys, values, mask, scale=0.3, enable_gqa=True)
        assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_an_image_that_is_only_read_needs_no_copies_either() -> None:
    layer, keys, values = _layer(room=4)
    query = _random(ANSWERS, HEADS, 1, SIZE, seed=5)
    found, _ = shared_attention(None, query, layer.keys, layer.values, None, scaling=0.3)
    copies = (states.repeat(ANSWERS, 1, 1, 1) for states in (keys, values))
    expected = scaled_dot_product_attention(query, *copies, scale=0.3, enable_gqa=True)
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)
    assert layer.keys.untyped_storage().nbytes() == keys.nbytes


def test_answers_with_keys_of_their_own_are_left_to_torch() -> None:
    module = SimpleNamespace(num_key_value_groups=HEADS // GROUPS, is_causal=True)
    query = _random(ANSWERS, HEADS, 6, SIZE)
    keys, values = (_random(ANSWERS, GROUPS, 6, SIZE, seed=seed) for seed in (1, 2))
    found, _ = shared_attention(module, query, keys, values, None, scaling=0.3)
    expected = scaled_dot_product_attention(query, keys, values, is_causal=True, scale=0.3, enable_gqa=True)
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_what_it_cannot_compute_is_refused() -> None:
    layer, *_ = _layer(room=2)
    new = [_random(ANSWERS, GROUPS, 2, SIZE, seed=seed) for seed in (3, 4)]
    shared = layer.update(*new)
    with pytest.raises(ValueError, match="softcap"):
        shared_attention(None, _random(ANSWERS, HEADS, 1, SIZE), *shared, None, softcap=30.0)
    with pytest.raises(ValueError, match="2 tokens"):
        shared_attention(None, _random(ANSWERS, HEADS, 2, SIZE), *shared, None)
