"""What can be loaded, and the reason given for what cannot."""

import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.numpy import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.load import Checkpoint, load_checkpoint
from gliobench.models.checkpoints.quantised import quantisation_fault
from gliobench.models.tiny import write_tiny_mllama


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mllama(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "checkpoint"))


def _load(source: str | Path, **options: str | bool | None) -> Checkpoint:
    return load_checkpoint(source, **{"revision": None, "dtype": "auto", "device": "cpu", **options})


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    for source in (tmp_path / "nowhere", str(tmp_path / "nowhere"), "./nowhere"):
        with pytest.raises(ModelError, match="nowhere"):
            _load(source)


def test_folder_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        _load(tmp_path)


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="nobody/no-such-checkpoint"):
        _load("nobody/no-such-checkpoint")


def test_text_only_model(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="'llama'"):
        _load(tmp_path)


def test_missing_and_damaged_and_pickled_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    removed = next(iter(tensors))
    save_file({name: tensor for name, tensor in tensors.items() if name != removed}, weights, {"format": "pt"})
    with pytest.raises(ModelError, match="1 of the model's weights"):
        _load(folder)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"\*\.safetensors"):
        _load(folder)
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"\*\.safetensors"):
        _load(folder)


def test_no_processor_and_no_chat_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match=r"chat_template\.jinja"):
        _load(folder)
    (folder / "processor_config.json").unlink()
    with pytest.raises(ModelError, match=r"processor"):
        _load(folder)


def test_code_that_comes_with_a_checkpoint_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "of_its_own"
    config["auto_map"] = {"AutoConfig": "configuration.Own", "AutoModelForImageTextToText": "modelling.Own"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration.py").write_text("raise SystemExit('code of the checkpoint was run')")
    with pytest.raises(ModelError):
        _load(folder)


@pytest.mark.parametrize(
    ("options", "found"),
    [({"dtype": "int4"}, "dtype"), ({"device": "abacus"}, "abacus"), ({"revision": "main"}, "'main'")],
)
def test_wrong_options(original: Path, options: dict[str, str], found: str) -> None:
    with pytest.raises(ModelError, match=found):
        _load(original, **options)


def test_digest_knows_weights_template_and_processor_but_not_the_place(original: Path, folder: Path) -> None:
    first = _load(original).content
    assert _load(folder).content == first
    (folder / "README.md").write_text("read by nobody")
    assert _load(folder).content == first
    with (folder / "chat_template.jinja").open("a") as file:
        file.write("!")
    assert _load(folder).content != first


def test_loading_is_silent_and_leaves_the_verbosity_as_it_was(
    original: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    loaded = _load(original, dtype="bfloat16")
    assert str(loaded.model.dtype) == "torch.bfloat16"
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def test_only_the_ends_of_an_answer_are_kept_of_its_own_decoding(folder: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repetition_penalty": 1.7, "do_sample": True}))
    loaded = _load(folder)
    assert not loaded.model.generation_config.do_sample
    assert loaded.model.generation_config.repetition_penalty in (None, 1.0)
    tokenizer = loaded.processor.tokenizer
    assert loaded.end_ids == {tokenizer.convert_tokens_to_ids(end) for end in ("<|end_of_text|>", "<|eot_id|>")}


def test_4_and_8_bits_are_refused_with_the_reason_where_they_do_not_work(folder: Path) -> None:
    fault = quantisation_fault()
    if fault is None:
        pytest.skip("4- and 8-bit weights work here")
    for bits in ("4bit", "8bit"):
        with pytest.raises(ModelError, match=f"{bits}.*{re.escape(fault)}"):
            _load(folder, quantisation=bits)
    with pytest.raises(ModelError, match=r"4bit or 8bit.* '2bit'"):
        _load(folder, quantisation="2bit")


def test_spread_over_the_devices_there_are(folder: Path) -> None:
    plain, spread = _load(folder), _load(folder, spread=True)
    assert spread.content == plain.content
    for name, parameter in spread.model.named_parameters():
        assert (parameter == plain.model.get_parameter(name)).all()
