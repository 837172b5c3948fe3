"""Unsloth learns the same from the same: run where it is installed, against transformers and PEFT there."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.training.finetune.made import PROMPTS, TASKS, asked

from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.training.finetune.examples import Example
from gliobench.training.finetune.settings import MODULES
from gliobench.training.finetune.towers import adapted_layers

pytestmark = pytest.mark.skipif(
    find_spec("unsloth") is None, reason="Unsloth is not installed here: docs/finetuning.md says how to make a place"
)
ROOT = Path(__file__).parents[3]
SETTINGS: dict[str, Any] = {
    "rank": 4,
    "learning_rate": 1e-2,
    "steps": 6,
    "batch_size": 4,
    "accumulation": 2,
    "evaluate_every": 2,
    "validation_slices": 3,
}
CASES = [
    ("mllama", {"towers": "language", "dropout": 0.0, "gradient_checkpointing": False}),
    ("idefics3", {"towers": "both", "dropout": 0.1, "gradient_checkpointing": True}),
]


def fit(
    engine: str, folder: Path, out: Path, more: dict[str, Any], stop_at: int = 0
) -> subprocess.CompletedProcess[str]:
    """In a process of its own. TRL before 1.16 has its loss in Triton alone, whose interpreter does without a GPU."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("on_cpu.py")), engine, str(folder), str(out)]
    return subprocess.run(
        [*command, json.dumps({**SETTINGS, **more}), str(stop_at)],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "TRITON_INTERPRET": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def both(
    request: pytest.FixtureRequest, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], Path, Path]:
    """A checkpoint, what was set, and what transformers and Unsloth left."""
    family, more = request.param
    out = tmp_path_factory.mktemp(family)
    for engine in ("transformers", "unsloth"):
        done = fit(engine, checkpoints[family], out / engine, more)
        assert done.returncode == 0, done.stderr[-3000:]
    return checkpoints[family], more, out / "transformers", out / "unsloth"


def left(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "left.json").read_text())
    return content


def test_it_is_unsloth_that_learnt(both: tuple[Path, dict[str, Any], Path, Path]) -> None:
    ours, its = left(both[2]), left(both[3])
    assert (ours["trainer"], its["trainer"]) == ("SFTTrainer", "UnslothSFTTrainer")
    assert its["model"].startswith("unsloth_compiled_module")
    assert all(verdict.startswith("PASS") for verdict in its["verdicts"]), its["verdicts"]


def test_the_same_layers_learn_to_the_same_losses(both: tuple[Path, dict[str, Any], Path, Path]) -> None:
    folder, more, transformers, unsloth = both
    pattern = adapted_layers(more["towers"], MODULES)
    names = {name for name, _ in asked(folder).checkpoint.model.named_modules()}
    assert set(left(unsloth)["layers"]) == {name for name in names if re.fullmatch(pattern, name)}
    ours, its = (pd.read_csv(one / "curves.csv") for one in (transformers, unsloth))
    assert list(its["step"]) == [2, 4, 6]
    for column in ("train_loss", "validation_loss", "learning_rate"):
        assert list(its[column]) == pytest.approx(list(ours[column]), rel=1e-5)
    assert left(unsloth)["said"] == left(transformers)["said"]


def test_its_adapter_is_peft_s_own(both: tuple[Path, dict[str, Any], Path, Path], examples: list[Example]) -> None:
    folder, _, transformers, unsloth = both
    models = [VisionLanguageModel(folder, tasks=TASKS, prompts=PROMPTS, adapter=one) for one in (transformers, unsloth)]
    general = asked(folder)
    with torch.no_grad():
        inputs = general.inputs([example.question for example in examples[32:36]])
        before, ours, its = (model.checkpoint.model(**inputs).logits for model in (general, *models))
    assert (ours - before).abs().max() > 1
    assert (its - ours).abs().max() < 1e-3


def test_interrupted_it_ends_the_same(both: tuple[Path, dict[str, Any], Path, Path], tmp_path: Path) -> None:
    folder, more, _, unsloth = both
    assert fit("unsloth", folder, tmp_path / "again", more, stop_at=5).returncode == 7
    assert fit("unsloth", folder, tmp_path / "again", more).returncode == 0
    expected, found = (load_file(one / "adapter_model.safetensors") for one in (unsloth, tmp_path / "again"))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=1e-5, rtol=0), name


def test_missing_weights_are_not_made_up(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "incomplete"
    asked(checkpoints["mllama"]).checkpoint.model.save_pretrained(folder)
    asked(checkpoints["mllama"]).checkpoint.processor.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if name.endswith("layers.0.mlp.down_proj.weight"))]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    done = fit("unsloth", folder, tmp_path / "out", CASES[0][1])
    assert done.returncode == 1
    assert "lacks 1 of the model's weights" in done.stderr
