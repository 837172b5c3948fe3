"""Which layers learn, by their whole names: those of two families as transformers writes them."""

import re
from pathlib import Path

import pytest
from tests.training.finetune.made import asked

from gliobench.models.base.errors import ModelError
from gliobench.training.finetune.settings import MODULES, FinetuneSettings
from gliobench.training.finetune.towers import adapted_layers, check_learns, tower

LANGUAGE = (
    "model.language_model.layers.0.self_attn.q_proj",
    "model.language_model.layers.3.cross_attn.o_proj",
    "model.text_model.layers.1.mlp.down_proj",
)
VISION = (
    "model.vision_model.global_transformer.layers.0.self_attn.q_proj",
    "model.vision_model.encoder.layers.0.self_attn.out_proj",
    "model.visual.blocks.7.attn.qkv",
    "model.vision_tower.encoder.layers.2.mlp.fc1",
)
CONNECTOR = (
    "model.connector.modality_projection.proj",
    "model.multi_modal_projector.linear_1",
    "model.visual.merger.fc1",
)


def adapted(names: tuple[str, ...], towers: str) -> list[bool]:
    pattern = adapted_layers(towers, MODULES)  # type: ignore[arg-type]
    return [re.fullmatch(pattern, name) is not None for name in names]


def test_a_layer_of_the_same_name_in_the_other_tower_is_left_alone() -> None:
    assert (all(adapted(LANGUAGE, "language")), any(adapted(VISION + CONNECTOR, "language"))) == (True, False)
    assert (all(adapted(VISION, "vision")), any(adapted(LANGUAGE + CONNECTOR, "vision"))) == (True, False)
    assert all(adapted(LANGUAGE + VISION, "both"))
    assert not any(adapted(("lm_head", "model.language_model.embed_tokens", "xq_proj"), "both"))


def test_towers_by_name() -> None:
    assert {tower(name) for name in LANGUAGE} == {"language"}
    assert {tower(name) for name in VISION} == {"vision"}
    assert {tower(name) for name in CONNECTOR} == {"connector"}


def test_nothing_to_learn_is_said(checkpoints: dict[str, Path]) -> None:
    model = asked(checkpoints["idefics3"])
    with pytest.raises(ModelError, match=r"language .* c_attn"):
        check_learns("tiny", model.checkpoint.model, FinetuneSettings(modules=("c_attn",)))
