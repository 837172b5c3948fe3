"""The conversations written to fine-tune elsewhere are those that fine-tuning here sees, and TRL takes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Image, List, load_dataset
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom import write_phantom
from gliobench.models.base.errors import ModelError
from gliobench.models.language.finetuned import trained_on
from gliobench.models.tiny import write_tiny_mllama
from gliobench.study.asking.build import language_model
from gliobench.study.config.study import read_study
from gliobench.study.showing.conversations import write_conversations
from gliobench.study.stages.finetune import examples_of, finetune, finetune_settings
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.training.finetune.collator import IGNORED, AnswerCollator
from gliobench.training.finetune.examples import Example, check_patients, patients
from gliobench.training.finetune.settings import FinetuneSettings
from gliobench.training.finetune.trainer import Tuner

# 20 slices to learn from, 6 an optimiser step: the fourth step of an epoch is of 2, and the seventh ends the training.
STUDY = """\
name: exported
grid: {shape: [40, 48, 48]}
split: {test_share: 0.25, folds: 4, seed: 0}
slices: {planes: [axial, coronal]}
tasks: [grade, centre]
models:
  - {kind: baseline, name: majority-grade}
  - kind: vlm
    name: tuned
    checkpoint: CHECKPOINT
    tasks: [grade, centre]
    view: rgb
    finetune: {rank: 2, steps: 7, batch_size: 3, accumulation: 2, planes: [axial], every: 4, trim: 4, tasks: [grade],
               evaluate_every: 8, validation_slices: 3, gradient_checkpointing: false}
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("conversations")
    write_phantom(folder / "cohort", subjects=12, seed=0, spacing_mm=3)
    write_tiny_mllama(folder / "tiny")
    (folder / "study.yaml").write_text(STUDY.replace("CHECKPOINT", str(folder / "tiny")))
    made = make_context(read_study(folder / "study.yaml"), cohort=folder / "cohort", out=folder / "run")
    prepare(made)
    split(made)
    return made


@pytest.fixture(scope="module")
def exported(context: Context) -> Path:
    out = context.folder.root.parent / "trl"
    write_conversations(context, "tuned", out, "trl")
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def examples(context: Context) -> tuple[list[Example], list[Example]]:
    (_, config), fold = context.study.models, context.split.fold(0)
    settings = finetune_settings(config)  # type: ignore[arg-type]
    return tuple(examples_of(context, config, settings, ids) for ids in (fold.train, fold.validation))  # type: ignore


def test_train_lines_are_what_the_trainer_draws_in_its_order(
    context: Context, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collated: list[Example] = []
    learnt: list[int] = []
    collate, step = AnswerCollator.__call__, Tuner.training_step

    def watched_collate(self: AnswerCollator, rows: Any) -> Any:
        collated.extend(self.examples[row["images"]] for row in rows)
        return collate(self, rows)

    def watched_step(self: Tuner, model: Any, inputs: Any, *rest: Any) -> Any:
        learnt.append(len(inputs["input_ids"]))
        return step(self, model, inputs, *rest)

    monkeypatch.setattr(AnswerCollator, "__call__", watched_collate)
    monkeypatch.setattr(Tuner, "training_step", watched_step)
    finetune(context)
    train, validation = examples(context)
    assert len(train) == 20
    assert sum(learnt) == 38  # 20, and three steps of 6
    drawn = [one for one in collated if one.question.subject.id in patients(train)][:38]
    written = lines(exported / "train.jsonl")
    assert [line["images"] for line in written] == [[file_of(one)] for one in drawn]
    assert [line["messages"][1]["content"] for line in written] == [
        f"Choice: {one.question.subject.grade}" for one in drawn
    ]
    evaluated = [one for one in collated if one.question.subject.id in patients(validation)]
    assert [line["images"] for line in lines(exported / "validation.jsonl")] == [
        [file_of(one)] for one in evaluated[:3]
    ]


def file_of(example: Example) -> str:
    frame = example.question.frame
    assert frame is not None
    return f"images/{example.question.subject.id}-{frame.plane}-{frame.index:03d}.png"


def test_trl_reads_the_same_tokens_and_pixels_that_the_trainer_computes_on(context: Context, exported: Path) -> None:
    found = load_dataset("json", data_files=str(exported / "train.jsonl"), split="train", cache_dir=str(exported / "c"))
    found = found.map(lambda row: {"images": [str(exported / name) for name in row["images"]]})
    rows = found.cast_column("images", List(Image())).select(range(3))
    (_, config) = context.study.models
    model = language_model(context, config, to_train=True)  # type: ignore[arg-type]
    processor = model.checkpoint.processor
    theirs = DataCollatorForVisionLanguageModeling(processor)(list(rows))
    train, _ = examples(context)
    by_file = {file_of(one): place for place, one in enumerate(train)}
    written = lines(exported / "train.jsonl")[:3]
    ours = AnswerCollator(model, train)([{"images": by_file[line["images"][0]]} for line in written])
    assert torch.equal(theirs["pixel_values"], ours["pixel_values"])
    for their, our, mask in zip(theirs["input_ids"], ours["input_ids"], ours["attention_mask"], strict=True):
        assert torch.equal(their[their != processor.tokenizer.pad_token_id], our[mask > 0])
    labels = ours["labels"][0]
    assert processor.tokenizer.decode(labels[labels != IGNORED]) == written[0]["messages"][1]["content"] + "<|eot_id|>"


@pytest.mark.parametrize("form", ["trl", "llamafactory", "unsloth"])
def test_no_test_patient_is_in_any_file(context: Context, tmp_path: Path, form: Any) -> None:
    learnt, validated = write_conversations(context, "tuned", tmp_path, form)
    assert (learnt, validated) == (38, 3)
    tested, fold = context.tested, context.split.fold(0)
    assert len(tested) == 3
    shown = {path.name.partition("-axial-")[0] for path in (tmp_path / "images").iterdir()}
    assert shown <= {*fold.train, *fold.validation}
    for path in tmp_path.glob("*.json*"):
        assert not [id for id in tested if id in path.read_text()], path
    assert trained_on(tmp_path) == {*fold.train, *fold.validation}


def test_the_other_formats_say_the_same(context: Context, exported: Path, tmp_path: Path) -> None:
    for form in ("llamafactory", "unsloth"):
        write_conversations(context, "tuned", tmp_path / form, form)  # type: ignore[arg-type]
    trl, llamafactory, unsloth = (
        lines(folder / "train.jsonl")[0] for folder in (exported, tmp_path / "llamafactory", tmp_path / "unsloth")
    )
    asked, answer = (turn["content"] for turn in trl["messages"])
    assert llamafactory == {
        "messages": [{"role": "user", "content": "<image>" + asked}, {"role": "assistant", "content": answer}],
        "images": trl["images"],
    }
    assert unsloth["messages"] == [
        {
            "role": "user",
            "content": [{"type": "image", "image": trl["images"][0]}, {"type": "text", "text": asked}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    info = json.loads((tmp_path / "llamafactory" / "dataset_info.json").read_text())
    assert info["tuned-train"]["file_name"] == "train.jsonl"
    assert info["tuned-validation"]["tags"]["user_tag"] == "user"


def test_what_cannot_be_exported(context: Context, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"majority-grade .*`finetune:`.*tuned"):
        write_conversations(context, "majority-grade", tmp_path / "a", "trl")
    with pytest.raises(StageError, match="is not empty"):
        write_conversations(context, "tuned", exported, "trl")
    with pytest.raises(StageError, match="lies in the cohort's folder"):
        write_conversations(context, "tuned", context.cohort / "out", "trl")
    train, validation = examples(context)
    with pytest.raises(ModelError, match="in training and test"):
        check_patients(train, validation, frozenset(list(patients(train))[:1]), FinetuneSettings())


def test_the_command_says_what_it_wrote(context: Context, tmp_path: Path) -> None:
    root = context.folder.root
    given = ["conversations", str(root.parent / "study.yaml"), "--cohort", str(context.cohort), "--out", str(root)]
    found = CliRunner().invoke(app, [*given, "--model", "tuned", "--to", str(tmp_path / "to"), "--format", "unsloth"])
    assert found.exit_code == 0, found.output
    assert [int(n) for n in re.findall(r"\d+", found.output)[:2]] == [38, 3]
