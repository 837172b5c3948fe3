"""An adapter answers on the checkpoint that it was trained on, and on no other."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.models.vlms import FAMILIES, question

from gliobench.models.errors import ModelError
from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama
from gliobench.models.transformers_vlm import Decoding, VisionLanguageModel

SHORT = Decoding(max_new_tokens=8)
QUESTIONS = [question(task, 2) for task in ("grade", "box")]


pytestmark = pytest.mark.usefixtures("one_thread")


def _write_adapter(base: Path, out: Path) -> list[str | None]:
    """A random LoRA adapter of all attention, as PEFT itself saves it; gives the answers of PEFT's own model."""
    model = VisionLanguageModel(base, decoding=SHORT)
    network = model._checkpoint.model
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
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
    with pytest.raises(ModelError, match=r"another base: it was trained on somebody/another-model, .* is base"):
        VisionLanguageModel(base, adapter=named)
    nameless = _renamed(adapter, tmp_path / "nameless", None)
    idefics3 = write_tiny_idefics3(tmp_path / "base")
    with pytest.raises(ModelError, match=r"another base than base: \d+ of its weights do not fit, the first"):
        VisionLanguageModel(idefics3, adapter=nameless)
    config = json.loads((nameless / "adapter_config.json").read_text())
    config["target_modules"] = ["no_such_module"]
    (nameless / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"another base than base: .*no_such_module"):
        VisionLanguageModel(base, adapter=nameless)


def test_what_is_no_adapter(mllama: tuple[Path, Path], tmp_path: Path) -> None:
    base, adapter = mllama
    with pytest.raises(ModelError, match=r"nowhere does not exist: expected the folder of a PEFT adapter"):
        VisionLanguageModel(base, adapter=tmp_path / "nowhere")
    pickled = Path(shutil.copytree(adapter, tmp_path / "pickled"))
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"has no adapter_model\.safetensors: .*never read"):
        VisionLanguageModel(base, adapter=pickled)
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    (damaged / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"the adapter .*damaged cannot be read"):
        VisionLanguageModel(base, adapter=damaged)
