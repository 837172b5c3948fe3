"""An adapter answers on the checkpoint that it was trained on, and on no other."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.models.families import write_gemma3, write_llava
from tests.models.vlms import FAMILIES, question
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.adapter import with_adapter
from gliobench.models.language.vlm import Decoding, VisionLanguageModel
from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama

SHORT = Decoding(max_new_tokens=8)
QUESTIONS = [question(task, 2) for task in ("grade", "box")]


pytestmark = pytest.mark.usefixtures("one_thread")


def _write_adapter(base: Path, out: Path, **settings: Any) -> list[str | None]:
    """A random LoRA adapter, of all attention where `settings` say nothing, as PEFT itself saves it; gives the answers
    of PEFT's own model."""
    model = VisionLanguageModel(base, decoding=SHORT)
    network = model._checkpoint.model
    torch.manual_seed(0)
    config = LoraConfig(**{"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False} | settings)
    adapted = get_peft_model(network, config).eval()
    adapted.save_pretrained(out)
    return [prediction.text for prediction in model.predict(QUESTIONS)]  # PEFT adapts the network in place


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """A base, an adapter of it, and what the two answer."""
    folder = tmp_path_factory.mktemp(request.param)
    base = FAMILIES[request.param](folder / "base")
    return base, folder / "adapter", _write_adapter(base, folder / "adapter")


def test_the_adapter_answers_and_is_part_of_the_key(trained: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    base, adapter, expected = trained
    plain = VisionLanguageModel(base, decoding=SHORT)
    model = VisionLanguageModel(base, adapter=adapter, decoding=SHORT)
    said = [prediction.text for prediction in model.predict(QUESTIONS)]
    assert said == expected
    assert said != [prediction.text for prediction in plain.predict(QUESTIONS)]
    assert plain.settings["adapter"] is None
    assert str(model.settings["adapter"]).startswith("adapter sha256:")
    other = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    weights = {name: tensor + 1 for name, tensor in load_file(other / "adapter_model.safetensors").items()}
    save_file(weights, other / "adapter_model.safetensors")
    assert VisionLanguageModel(base, adapter=other).settings["adapter"] != model.settings["adapter"]
    batched = VisionLanguageModel(base, adapter=adapter, decoding=SHORT, batch_size=1)
    assert [prediction.text for prediction in batched.predict(QUESTIONS)] == expected


def _renamed(adapter: Path, copy: Path, base: str | None) -> Path:
    shutil.copytree(adapter, copy)
    config = json.loads((copy / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    (copy / "adapter_config.json").write_text(json.dumps(config))
    return copy


@pytest.fixture(scope="module")
def mllama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mllama")
    base = write_tiny_mllama(folder / "base")
    _write_adapter(base, folder / "adapter")
    return base, folder / "adapter"


def test_another_base_by_name_and_by_shape(mllama: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = mllama
    named = _renamed(adapter, tmp_path / "named", "somebody/another-model")
    with pytest.raises(ModelError, match=r"somebody/another-model, .* base;"):
        VisionLanguageModel(base, adapter=named)
    nameless = _renamed(adapter, tmp_path / "nameless", None)
    idefics3 = write_tiny_idefics3(tmp_path / "base")
    with pytest.raises(ModelError, match=r"nameless .* base: \d+ of its weights"):
        VisionLanguageModel(idefics3, adapter=nameless)
    config = json.loads((nameless / "adapter_config.json").read_text())
    config["target_modules"] = ["no_such_module"]
    (nameless / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"base: .*no_such_module"):
        VisionLanguageModel(base, adapter=nameless)


def test_what_is_no_adapter(mllama: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = mllama
    with pytest.raises(ModelError, match="nowhere"):
        VisionLanguageModel(base, adapter=tmp_path / "nowhere")
    pickled = Path(shutil.copytree(adapter, tmp_path / "pickled"))
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        VisionLanguageModel(base, adapter=pickled)
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    (damaged / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"adapter_model\.safetensors"):
        VisionLanguageModel(base, adapter=damaged)


def _older(name: str, family: str) -> str:
    """A weight's name as transformers before 4.52 had it (its modelling code of 4.51)."""
    name = name.removeprefix("base_model.model.model.")
    for new, old in {
        "mllama": [("language_model.", "language_model.model.")],
        "llava": [("language_model.", "language_model.model."), ("vision_tower.", "vision_tower.vision_model.")],
        "gemma3": [("language_model.", "language_model.model."), ("vision_tower.", "vision_tower.vision_model.")],
        "qwen": [("language_model.", "model."), ("visual.", "visual.")],
    }[family]:
        if name.startswith(new):
            name = old + name.removeprefix(new)
            break
    return f"base_model.model.{name}"


@pytest.mark.parametrize(
    ("family", "write"),
    [
        ("mllama", write_tiny_mllama),
        ("llava", write_llava),
        ("gemma3", write_gemma3),
    ],
)
def test_an_adapter_with_the_names_of_transformers_before_4_52_answers_alike(
    family: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    base = write(tmp_path / "base")
    expected = _write_adapter(base, tmp_path / "adapter")
    older = Path(shutil.copytree(tmp_path / "adapter", tmp_path / "older"))
    weights = load_file(older / "adapter_model.safetensors")
    renamed = {_older(name, family): tensor for name, tensor in weights.items()}
    assert not set(renamed) & {name for name in weights if "language_model" in name}
    save_file(renamed, older / "adapter_model.safetensors")
    model = VisionLanguageModel(base, adapter=older, decoding=SHORT)
    assert [prediction.text for prediction in model.predict(QUESTIONS)] == expected
    loaded = _lora_weights(model)
    assert loaded.keys() == {name.removeprefix("base_model.model.") for name in weights}
    assert all(torch.equal(loaded[name.removeprefix("base_model.model.")], weights[name]) for name in weights)


LANGUAGE = r"model\.language_model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"
OLDER_LANGUAGE = r"language_model\.model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"
FIRST, OLDER_FIRST = "model.language_model.layers.0.self_attn.q_proj", "language_model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("family", "write", "today", "older"),
    [
        ("mllama", write_tiny_mllama, {"target_modules": LANGUAGE}, {"target_modules": OLDER_LANGUAGE}),
        ("llava", write_llava, {"target_modules": LANGUAGE}, {"target_modules": OLDER_LANGUAGE}),
        ("gemma3", write_gemma3, {"target_modules": LANGUAGE}, {"target_modules": OLDER_LANGUAGE}),
        ("llava", write_llava, {"target_modules": [FIRST]}, {"target_modules": [OLDER_FIRST]}),
        (
            *("llava", write_llava, {"exclude_modules": r"model\.vision_tower\..*"}),
            {"exclude_modules": r"vision_tower\..*"},
        ),
        (
            *("mllama", write_tiny_mllama, {"alpha_pattern": {FIRST: 64}, "rank_pattern": {FIRST: 2}}),
            {"alpha_pattern": {OLDER_FIRST: 64}, "rank_pattern": {OLDER_FIRST: 2}},
        ),
        ("mllama", write_tiny_mllama, {"alpha_pattern": {FIRST: 64}}, {"alpha_pattern": {OLDER_FIRST: 64}}),
    ],
)
def test_an_adapter_whose_settings_have_the_older_names_answers_alike(
    family: str, write: Callable[[Path], Path], today: dict[str, Any], older: dict[str, Any], tmp_path: Path
) -> None:
    """A pattern finds what it found then; an alpha that is not found would weaken the adapter in silence."""
    base = write(tmp_path / "base")
    expected = _write_adapter(base, tmp_path / "adapter", **today)
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    save_file(
        {_older(name, family): tensor for name, tensor in weights.items()},
        tmp_path / "adapter" / "adapter_model.safetensors",
    )
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings | older))
    model = VisionLanguageModel(base, adapter=tmp_path / "adapter", decoding=SHORT)
    assert [prediction.text for prediction in model.predict(QUESTIONS)] == expected
    assert _lora_weights(model).keys() == {name.removeprefix("base_model.model.") for name in weights}
    scaling = dict(model._checkpoint.model.named_modules())[FIRST].scaling["default"]
    alpha, rank = today.get("alpha_pattern", {}).get(FIRST, 8), today.get("rank_pattern", {}).get(FIRST, 4)
    assert scaling == alpha / rank


def test_an_adapter_of_qwen_with_the_older_names_has_those_of_today(tmp_path: Path) -> None:
    """Without its processor, which needs torchvision."""
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_heads": 4, "depth": 1, "patch_size": 8}
    text = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    text |= {"num_hidden_layers": 2, "vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    config = Qwen2_5_VLConfig(vision_config={**vision, "out_hidden_size": 64}, text_config=text)
    network = Qwen2_5_VLForConditionalGeneration(config)
    lora = LoraConfig(r=4, target_modules=["q_proj", "qkv"], init_lora_weights=False)
    get_peft_model(network, lora).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    save_file(
        {_older(name, "qwen"): tensor for name, tensor in weights.items()}, tmp_path / "adapter_model.safetensors"
    )
    loaded = with_adapter(Qwen2_5_VLForConditionalGeneration(config), tmp_path, "base").state_dict()
    for name, tensor in weights.items():
        module, _, matrix = name.removeprefix("base_model.model.").rpartition(".lora_")
        assert torch.equal(loaded[f"{module}.lora_{matrix.replace('.weight', '.default.weight')}"], tensor)


def test_embeddings_saved_beside_an_adapter_have_to_be_the_bases_own(mllama: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = mllama
    expected = _write_adapter(base, tmp_path / "again")
    beside = Path(shutil.copytree(adapter, tmp_path / "beside"))
    weights = load_file(beside / "adapter_model.safetensors")
    network = VisionLanguageModel(base)._checkpoint.model
    tables = {"lm_head": network.lm_head, "model.language_model.embed_tokens": network.get_input_embeddings()}
    own = {f"base_model.model.{name}.weight": module.weight.detach().clone() for name, module in tables.items()}
    save_file({**weights, **own}, beside / "adapter_model.safetensors")
    model = VisionLanguageModel(base, adapter=beside, decoding=SHORT)
    assert [prediction.text for prediction in model.predict(QUESTIONS)] == expected
    own["base_model.model.lm_head.weight"][3, 5] += 1
    other = Path(shutil.copytree(adapter, tmp_path / "other"))
    save_file({**weights, **own}, other / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"\(lm_head\)"):
        VisionLanguageModel(base, adapter=other)


def _lora_weights(model: VisionLanguageModel) -> dict[str, torch.Tensor]:
    """The LoRA weights of a model, by the names that PEFT saves without its prefix."""
    state = model._checkpoint.model.state_dict()
    return {name.replace(".default", ""): tensor for name, tensor in state.items() if ".lora_" in name}
