"""The notebook for Colab is valid, its commands parse, and in small it learns what `gliobench finetune` learns."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import torch
import typer
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText

from gliobench.cli.app import app
from gliobench.cohort.phantom import write_phantom
from gliobench.models.base.errors import ModelError
from gliobench.models.tiny import write_tiny_mllama
from gliobench.study.config.study import read_study
from gliobench.study.showing.conversations import write_conversations
from gliobench.study.stages.finetune import finetune
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context
from gliobench.training.finetune.settings import FinetuneSettings
from gliobench.training.finetune.towers import lora_config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK, PAGE = ROOT / "docs/colab/finetune.ipynb", ROOT / "docs/colab.md"
STUDY = """\
name: colab
grid: {{shape: [40, 48, 48]}}
split: {{test_share: 0.25, folds: 4, seed: 0}}
slices: {{planes: [axial], every: 6}}
tasks: [grade]
models:
  - kind: vlm
    name: tuned
    checkpoint: {tiny}
    tasks: [grade]
    finetune: {{rank: 16, alpha: 16, dropout: 0.0, towers: both, steps: 2, learning_rate: 2.0e-5, every: 2}}
"""
BACK = """\
  - {{kind: vlm, name: back, checkpoint: {tiny}, adapter: {adapter}, tasks: [grade]}}
"""


def cells() -> list[Any]:
    found: list[Any] = nbformat.read(NOTEBOOK, as_version=4).cells
    return found


def test_the_notebook_is_valid_and_holds_no_outputs() -> None:
    nbformat.validate(nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT))
    assert not [cell for cell in cells() if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]


def test_it_installs_the_versions_that_are_tested() -> None:
    (install,) = (cell.source for cell in cells() if cell.source.startswith("%pip"))
    pins = set(re.findall(r"\S+==\S+", install))
    assert len(pins) == 5
    assert pins <= set((ROOT / "constraints.txt").read_text().split())


def commands() -> list[str]:
    text = "\n".join([PAGE.read_text(), *(cell.source for cell in cells())])
    return re.findall(r"^ *(gliobench .+)$", text, flags=re.MULTILINE)


def test_every_command_parses() -> None:
    group: Any = typer.main.get_command(app)
    assert len(commands()) == 9
    for line in commands():
        _, verb, *arguments = shlex.split(line)
        group.commands[verb].make_context(verb, arguments)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("colab")
    write_phantom(folder / "cohort", subjects=12, seed=0, spacing_mm=3)
    write_tiny_mllama(folder / "tiny")
    return context_of(folder, "study", STUDY.format(tiny=folder / "tiny"))


def context_of(folder: Path, name: str, text: str) -> Context:
    (folder / f"{name}.yaml").write_text(text)
    made = make_context(
        read_study(folder / f"{name}.yaml"), cohort=folder / "cohort", out=folder / name, store=folder / "grid"
    )
    prepare(made)
    split(made)
    return made


@pytest.fixture(scope="module")
def ran(context: Context) -> dict[str, Any]:
    """The notebook's names after all its cells but Colab's own, with its settings made small."""
    folder = context.folder.root.parent
    write_conversations(context, "tuned", folder / "conversations", "trl")
    small = {
        "MODEL": str(folder / "tiny"),
        "CONVERSATIONS": folder / "conversations",
        "ADAPTER": folder / "adapter",
        "ON_GPU": False,
        "STEPS": 2,
    }
    names: dict[str, Any] = {"__name__": "notebook"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_DATASETS_CACHE", str(folder / "cache"))
        for cell in cells():
            tags = cell.metadata.get("tags", [])
            if cell.cell_type == "code" and "colab" not in tags:
                exec(cell.source, names)
                if "settings" in tags:
                    assert small.keys() <= names.keys()
                    names |= small
    return names


def test_its_first_loss_is_that_of_finetuning_here(context: Context, ran: dict[str, Any]) -> None:
    finetune(context)
    ours = pd.read_csv(context.folder.network("tuned", 0) / "losses.csv")["train_loss"]
    theirs = [entry["loss"] for entry in ran["trainer"].state.log_history if "loss" in entry]
    assert len(theirs) == len(ours) == 2
    assert theirs[0] == pytest.approx(ours[0], rel=1e-4)


def test_it_adapts_the_layers_that_are_adapted_here(context: Context, ran: dict[str, Any]) -> None:
    settings = replace(FinetuneSettings(), rank=16, alpha=16, dropout=0.0, towers="both")
    whole = AutoModelForImageTextToText.from_pretrained(context.folder.root.parent / "tiny")
    ours = get_peft_model(whole, lora_config(settings))
    expected = {name for name, one in ours.named_parameters() if one.requires_grad}
    assert {name for name, one in ran["trainer"].model.named_parameters() if one.requires_grad} == expected
    assert isinstance(lora_config(settings), LoraConfig)


def test_its_settings_are_those_of_the_reference_study(ran: dict[str, Any]) -> None:
    study = read_study(ROOT / "studies/brats2020.yaml")
    part = next(one for one in study.models if one.name == "llama-grade-100-steps")
    wanted, args, lora = part.finetune, ran["trainer"].args, ran["trainer"].model.peft_config["default"]  # type: ignore
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (
        wanted.batch_size,
        wanted.accumulation,
    )
    assert (args.learning_rate, args.weight_decay) == (wanted.learning_rate, wanted.weight_decay)
    assert args.warmup_steps == wanted.warmup * wanted.steps == 5
    assert args.lr_scheduler_type == wanted.schedule
    assert (lora.r, lora.lora_alpha, lora.lora_dropout) == (wanted.rank, wanted.alpha, wanted.dropout)
    (settings,) = (cell.source for cell in cells() if "settings" in cell.metadata.get("tags", []))
    assert f'MODEL = "{part.checkpoint}"' in settings  # type: ignore[union-attr]
    assert f"STEPS = {wanted.steps}\n" in f"{settings}\n"


def test_the_adapter_comes_back_and_is_not_asked_about_whom_it_was_trained_on(
    context: Context, ran: dict[str, Any]
) -> None:
    folder = context.folder.root.parent
    text = STUDY.format(tiny=folder / "tiny") + BACK.format(tiny=folder / "tiny", adapter=ran["ADAPTER"])
    back = context_of(folder, "back", text)
    predict(back, ["back"])
    assert back.folder.asked("back").exists()
    assert any(one.abs().max() > 0 for name, one in ran["trainer"].model.named_parameters() if "lora_B" in name)
    other = context_of(folder, "other", text.replace("seed: 0", "seed: 1"))
    with pytest.raises(ModelError, match="leakage"):
        predict(other, ["back"])


def test_labels_are_the_answer_and_the_end_of_its_turn(ran: dict[str, Any]) -> None:
    rows = [ran["data"]["train"][place] for place in range(3)]
    said = [row["messages"][1]["content"] for row in rows]
    batch = ran["AnswersOnly"](ran["processor"])(rows)
    decode = ran["processor"].tokenizer.decode
    assert [decode(labels[labels != -100]) for labels in batch["labels"]] == [f"{one}<|eot_id|>" for one in said]
    assert torch.equal(batch["labels"] == -100, batch["labels"] != batch["input_ids"])
