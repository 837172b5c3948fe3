"""Folders that are no checkpoint, or not all of one: `plan` and `run` say the same in one message before any work."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.models.families import write_gemma3, write_llava, write_paligemma
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.models.checkpoints.files import Use, checkpoint_fault
from gliobench.models.tiny import (
    write_tiny_clip,
    write_tiny_idefics3,
    write_tiny_mllama,
    write_tiny_sam,
    write_tiny_sam2,
)
from gliobench.study.config.study import StudyError

STUDY = """\
name: folders
cohort: {cohort}
models:
  - {{kind: vlm, name: mine, checkpoint: {checkpoint}}}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mllama(tmp_path_factory.mktemp("whole") / "base")


def _text_only(folder: Path) -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes)).save_pretrained(folder)


def _cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def _names_another_shard(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}})
    )


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _is_an_adapter(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def _remove(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names if (folder / name).exists()]  # type: ignore[return-value]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text only": (_text_only, "'llama' model, which does not read images"),
    "config cut": (_cut("config.json", 100), "config.json is damaged"),
    "config a list": (lambda folder: (folder / "config.json").write_text("[]"), "config.json is damaged"),
    "config without a type": (lambda folder: (folder / "config.json").write_text("{}"), "names no model_type"),
    "config gone": (_remove("config.json"), "has no config.json"),
    "adapter": (_is_an_adapter, "is an adapter"),
    "weights gone": (_remove("model.safetensors"), "has no weights"),
    "weights pickled": (_pickled, "has no weights"),
    "weights cut": (_cut("model.safetensors", 100_000), "model.safetensors is damaged: 100000 bytes, expected"),
    "weights cut in their head": (_cut("model.safetensors", 500), "model.safetensors is damaged"),
    "weights empty": (_cut("model.safetensors", 0), "model.safetensors is damaged"),
    "a shard missing": (_names_another_shard, "lacks 1 of the 2 files of weights"),
    "tokenizer gone": (_remove("tokenizer.json"), "has no tokenizer"),
    "processor gone": (_remove("processor_config.json", "preprocessor_config.json"), "has no image processor"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_folder_that_cannot_be_used(
    damage: Callable[[Path], object], message: str, whole: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "checkpoint"))
    damage(folder)
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(cohort=phantom_cohort, checkpoint=folder))
    said = []
    for verb in ("plan", "run"):
        found = CliRunner().invoke(app, [verb, str(study), "--out", str(tmp_path / "out")])
        assert isinstance(found.exception, StudyError), found.output
        said.append(str(found.exception))
    assert said[0] == said[1]
    assert message in said[0]
    assert f"{study}:4: models.0.checkpoint" in said[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "write",
    [write_tiny_mllama, write_tiny_idefics3, write_llava, write_gemma3, write_paligemma],
    ids=lambda f: f.__name__,
)
def test_whole_folders_of_language_models(write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert checkpoint_fault(write(tmp_path / "whole"), "language") is None


@pytest.mark.parametrize(
    ("write", "use"),
    [(write_tiny_sam, "segmenter"), (write_tiny_sam2, "segmenter"), (write_tiny_clip, "encoder")],
)
def test_whole_folders_of_vision_models(write: Callable[[Path], Path], use: Use, tmp_path: Path) -> None:
    folder = write(tmp_path / "whole")
    assert checkpoint_fault(folder, use) is None
    other: Use = "encoder" if use == "segmenter" else "segmenter"
    assert "model; expected a" in str(checkpoint_fault(folder, other))
    assert "does not read images and answer in text" in str(checkpoint_fault(folder, "language"))
