"""Checkpoints with damage inside their files: `plan` and `run` name it in one message, before any work."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from gliobench.cli.app import main
from gliobench.models.base.errors import ModelError
from gliobench.models.checkpoints.load import load_checkpoint, quiet
from gliobench.models.checkpoints.quantised import quantisation_fault
from gliobench.models.tiny import write_tiny_clip, write_tiny_idefics3, write_tiny_mllama, write_tiny_sam

ENTRIES = {
    "mllama": "kind: vlm, name: mine",
    "idefics3": "kind: vlm, name: mine",
    "sam": "kind: segmenter, name: mine, from: truth",
    "clip": "kind: encoder, name: mine",
}
WRITERS = {
    "mllama": write_tiny_mllama,
    "idefics3": write_tiny_idefics3,
    "sam": write_tiny_sam,
    "clip": write_tiny_clip,
}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name) / "base") for name, write in WRITERS.items()}


def cut(name: str, share: float = 0.5) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def put(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text)


def entry(name: str, *keys: str, to: Any) -> Damage:
    """One entry of a JSON file is something else; with `to` None it is gone."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        if to is None:
            del inner[keys[-1]]
        (folder / name).write_text(json.dumps(content))

    return damage


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Damage:
    return lambda folder: save_file(
        change(load_file(folder / "model.safetensors")), folder / "model.safetensors", metadata={"format": "pt"}
    )


def without_one(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    tensors.pop(max(name for name in tensors if "vision" in name and "layers" in name))
    return tensors


def one_of_another_shape(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {min(tensors): torch.zeros(3, 5, 7)}


def in_eight_bits(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.to(torch.int8) for name, tensor in tensors.items()}


TEMPLATE, TOKENS, WORDS = "chat_template.jinja", "tokenizer.json", "tokenizer_config.json"
IMAGES, EYES = "processor_config.json", "preprocessor_config.json"
CASES: list[tuple[str, str, Damage, str]] = [
    ("mllama", "tokenizer cut", cut(TOKENS), f"{TOKENS} is damaged: not JSON"),
    ("idefics3", "tokenizer cut", cut(TOKENS), f"{TOKENS} is damaged: not JSON"),
    ("mllama", "tokenizer a pointer", put(TOKENS, POINTER), f"{TOKENS} is a pointer of Git LFS"),
    ("mllama", "tokenizer empty", put(TOKENS, ""), f"{TOKENS} is damaged: it is empty"),
    ("mllama", "tokenizer without a model", entry(TOKENS, "model", to=None), "the tokenizer's or the image"),
    ("mllama", "tokenizer's model a number", entry(TOKENS, "model", to=7), "the tokenizer's or the image"),
    ("mllama", "tokenizer of other special tokens", put(TOKENS, "{}"), "the tokenizer's or the image"),
    ("mllama", "tokenizer's settings a list", put(WORDS, "[]"), f"{WORDS} is damaged: expected an object"),
    ("mllama", "tokenizer's settings cut", cut(WORDS), f"{WORDS} is damaged: not JSON"),
    ("mllama", "processor empty", put(IMAGES, ""), f"{IMAGES} is damaged: it is empty"),
    ("mllama", "processor cut", cut(IMAGES), f"{IMAGES} is damaged: not JSON"),
    ("mllama", "processor without content", put(IMAGES, "{}"), "processor_config.json are missing or damaged"),
    (
        *("mllama", "image size a word", entry(IMAGES, "image_processor", "size", to="x")),
        "processor_config.json are missing or damaged",
    ),
    ("mllama", "template with an error of syntax", put(TEMPLATE, "{% for %}"), f"({TEMPLATE}) cannot be used"),
    ("mllama", "template that fails", put(TEMPLATE, "{{ 1 / 0 }}"), f"({TEMPLATE}) cannot be used"),
    ("mllama", "template of nothing", put(TEMPLATE, "nothing"), f"({TEMPLATE}) leaves out the question"),
    ("mllama", "template empty", put(TEMPLATE, ""), f"{TEMPLATE} is damaged: it is empty"),
    ("mllama", "vision a number", entry("config.json", "vision_config", to=3), "config.json"),
    ("mllama", "side a word", entry("config.json", "vision_config", "image_size", to="x"), "config.json"),
    ("mllama", "layers a word", entry("config.json", "text_config", "num_hidden_layers", to="x"), "config.json"),
    ("mllama", "width below 0", entry("config.json", "text_config", "hidden_size", to=-1), "config.json"),
    ("mllama", "an unknown dtype", entry("config.json", "dtype", to="float99"), "config.json"),
    (
        "mllama",
        "image token of another",
        entry("config.json", "image_token_index", to=5),
        "is not in a question",
    ),
    (
        "mllama",
        "end a word",
        entry("generation_config.json", "eos_token_id", to="x"),
        "generation_config.json is damaged",
    ),
    (
        "clip",
        "no size of the image",
        entry(EYES, "do_center_crop", to=False),
        "size in pixels; found {'shortest_edge': 64}",
    ),
    ("mllama", "quantised by a number", entry("config.json", "quantization_config", to=3), "config.json is damaged"),
    ("mllama", "weights a pointer", put("model.safetensors", POINTER), "model.safetensors is a pointer of Git LFS"),
    ("mllama", "a weight missing", weights(without_one), "lacks 1 of the model's weights"),
    ("mllama", "a weight of another shape", weights(one_of_another_shape), "1 have another shape"),
    ("mllama", "weights in 8 bits", weights(in_eight_bits), "holds weights in I8"),
    ("sam", "vision a number", entry("config.json", "vision_config", to=3), "config.json"),
    ("sam", "side a word", entry("config.json", "vision_config", "image_size", to="x"), "config.json"),
    ("sam", "processor cut", cut(IMAGES), f"{IMAGES} is damaged: not JSON"),
    ("sam", "size a word", entry(IMAGES, "image_processor", "size", to="x"), "image processor"),
    ("sam", "another family", entry("config.json", "model_type", to="vit"), "'vit' model; expected a promptable"),
    ("clip", "vision a number", entry("config.json", "vision_config", to=3), "config.json"),
    ("clip", "processor empty", put(EYES, ""), f"{EYES} is damaged: it is empty"),
    ("clip", "processor a pointer", put(EYES, POINTER), f"{EYES} is a pointer of Git LFS"),
    ("clip", "a weight missing", weights(without_one), "lacks 1 of the model's weights"),
]


def said(verb: str, study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> str:
    """What the command line says of a study that it refuses; anything else than a message is a traceback here."""
    monkeypatch.setattr(sys, "argv", ["gliobench", verb, str(study), "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capfd.readouterr().err


def study_of(folder: Path, cohort: Path, checkpoint: Path, family: str) -> Path:
    text = f"name: damaged\ncohort: {cohort}\nmodels:\n  - {{{ENTRIES[family]}, checkpoint: {checkpoint}}}\n"
    (folder / "study.yaml").write_text(text)
    return folder / "study.yaml"


@pytest.mark.parametrize(
    ("family", "damage", "message"),
    [(family, damage, message) for family, _, damage, message in CASES],
    ids=[f"{family}: {name}" for family, name, *_ in CASES],
)
def test_damage_is_named_by_plan_and_run_alike(
    family: str,
    damage: Damage,
    message: str,
    whole: Mapping[str, Path],
    phantom_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    checkpoint = Path(shutil.copytree(whole[family], tmp_path / "checkpoint"))
    damage(checkpoint)
    study = study_of(tmp_path, phantom_cohort, checkpoint, family)
    planned, run = (said(verb, study, tmp_path / "out", monkeypatch, capfd) for verb in ("plan", "run"))
    assert planned == run
    assert message in run
    assert str(checkpoint) in run
    assert f"{study}:4: models.0.checkpoint" in run
    assert not (tmp_path / "out").exists()


ADAPTED = {
    "settings cut": (cut("adapter_config.json"), "adapter_config.json is damaged: not JSON"),
    "settings a pointer": (put("adapter_config.json", POINTER), "adapter_config.json is a pointer of Git LFS"),
    "settings of nothing": (put("adapter_config.json", "{}"), "adapter_config.json names no peft_type"),
    "weights cut": (cut("adapter_model.safetensors"), "adapter_model.safetensors is damaged"),
    "weights gone": (
        lambda folder: (folder / "adapter_model.safetensors").unlink(),
        "has no adapter_model.safetensors",
    ),
}


@pytest.mark.parametrize(("damage", "message"), ADAPTED.values(), ids=ADAPTED)
def test_damage_of_an_adapter_is_named_by_plan_and_run_alike(
    damage: Damage,
    message: str,
    whole: Mapping[str, Path],
    phantom_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    adapter = tmp_path / "adapter"
    with quiet():
        network = AutoModelForImageTextToText.from_pretrained(whole["mllama"])
    get_peft_model(network, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(adapter)
    damage(adapter)
    study = study_of(tmp_path, phantom_cohort, whole["mllama"], "mllama")
    study.write_text(study.read_text().replace("}", f", adapter: {adapter}}}"))
    planned, run = (said(verb, study, tmp_path / "out", monkeypatch, capfd) for verb in ("plan", "run"))
    assert planned == run
    assert message in run
    assert f"{study}:4: models.0.adapter: " in run
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(quantisation_fault() is None, reason="bitsandbytes can be used here")
@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "checkpoint", "was quantised with bitsandbytes"),
        ({"quant_method": "no-such-method"}, "checkpoint", "was quantised with no-such-method"),
        (None, "quantisation", "4bit cannot be used here"),
    ],
)
def test_what_quantised_weights_need_is_missed_before_any_work(
    settings: dict[str, object] | None,
    key: str,
    message: str,
    whole: Mapping[str, Path],
    phantom_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """`plan` counts it among what is missing, for it may be planned here what is to run elsewhere; `run` refuses."""
    checkpoint = Path(shutil.copytree(whole["mllama"], tmp_path / "checkpoint"))
    study = study_of(tmp_path, phantom_cohort, checkpoint, "mllama")
    if settings is None:
        study.write_text(study.read_text().replace("}", ", quantisation: 4bit}"))
    else:
        entry("config.json", "quantization_config", to=settings)(checkpoint)
    run = said("run", study, tmp_path / "out", monkeypatch, capfd)
    assert message in run
    assert f"{study}:4: models.0.{key}: " in run
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(sys, "argv", ["gliobench", "plan", str(study), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert message in " ".join(capfd.readouterr().out.split())


def test_the_loader_itself_says_what_a_quantised_checkpoint_needs(whole: Mapping[str, Path], tmp_path: Path) -> None:
    """`predict` alone, or a checkpoint from the hub, is not looked at before."""
    checkpoint = Path(shutil.copytree(whole["mllama"], tmp_path / "checkpoint"))
    entry("config.json", "quantization_config", to={"quant_method": "gptq", "bits": 4})(checkpoint)
    with pytest.raises(
        ModelError, match=r"the weights of .*checkpoint need a package that is not installed: .*optimum"
    ):
        load_checkpoint(checkpoint, revision=None, dtype="auto", device="cpu")
