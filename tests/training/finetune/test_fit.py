"""A fine-tuning leaves what it learnt, says what was checked, and ends the same after an interruption."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tests.training.finetune.made import PROMPTS, TASKS, asked

from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Prediction
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.training.errors import DivergedError
from gliobench.training.finetune.collator import AnswerCollator
from gliobench.training.finetune.curves import write_curves, write_losses
from gliobench.training.finetune.examples import Example, drawn
from gliobench.training.finetune.fit import Finetuned, finetune
from gliobench.training.finetune.settings import FinetuneSettings
from gliobench.training.finetune.trainer import Marker, last_whole

SETTINGS = FinetuneSettings(
    rank=4,
    towers="both",
    dropout=0.1,  # random, so that its state has to be taken up too
    learning_rate=1e-2,
    steps=6,
    batch_size=4,
    accumulation=2,
    evaluate_every=2,
    validation_slices=3,
    gradient_checkpointing=False,
)


def score(predictions: Sequence[Prediction]) -> Mapping[str, float]:
    return {"score": len(predictions), "task_asked": len(predictions)}


def fit(
    folder: Path, out: Path, examples: list[Example], settings: FinetuneSettings = SETTINGS, stop_at: int = 0
) -> Finetuned:
    def progress(step: int, steps: int) -> None:
        if step == stop_at:
            raise InterruptedError

    train, validation = examples[:32], examples[32:]  # patients 0 to 3, and 4 and 5
    return finetune(asked(folder), train, validation, out, settings, score=score, progress=progress)


@pytest.fixture(scope="module")
def lora(checkpoints: dict[str, Path], examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lora")
    found = fit(checkpoints["idefics3"], out, examples)
    assert [str(verdict)[:4] for verdict in found.verdicts] == ["PASS"] * 4, found.verdicts
    assert found.steps == 6
    return out


def test_the_adapter_is_peft_s_own_and_answers_otherwise(
    lora: Path, checkpoints: dict[str, Path], examples: list[Example]
) -> None:
    assert {path.name for path in lora.iterdir()} >= {"adapter_model.safetensors", "adapter_config.json", "curves.csv"}
    folder = checkpoints["idefics3"]
    adapted = VisionLanguageModel(folder, tasks=TASKS, prompts=PROMPTS, adapter=lora)
    general = VisionLanguageModel(folder, tasks=TASKS, prompts=PROMPTS)
    with torch.no_grad():
        inputs = general.inputs([examples[0].question])
        one, other = (model.checkpoint.model(**inputs).logits for model in (adapted, general))
    assert (one - other).abs().max() > 1e-3
    assert adapted.settings["adapter"] != general.settings["adapter"]


def test_curves_have_a_line_for_each_judgement(lora: Path) -> None:
    table = pd.read_csv(lora / "curves.csv")
    assert list(table["step"]) == [2, 4, 6]
    assert {"train_loss", "validation_loss", "learning_rate", "seconds"} <= set(table.columns)
    assert (table["validation_metric"] == 6).all()  # three slices of each of two tasks
    assert table["seconds"].is_monotonic_increasing
    assert table["validation_loss"].iloc[-1] < table["validation_loss"].iloc[0]


def test_the_loss_of_every_step_is_kept_and_the_curves_have_their_means(lora: Path) -> None:
    losses, curves = pd.read_csv(lora / "losses.csv"), pd.read_csv(lora / "curves.csv")
    assert list(losses["step"]) == [1, 2, 3, 4, 5, 6]
    means = losses["train_loss"].to_numpy().reshape(3, 2).mean(axis=1)
    assert curves["train_loss"].to_numpy() == pytest.approx(means, rel=1e-12)
    assert list(losses["learning_rate"])[1::2] == list(curves["learning_rate"])


def test_the_first_steps_loss_is_that_of_the_slices_drawn_first(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, steps=1, dropout=0.0)
    first = drawn(examples[:32], settings)[:8]
    model = asked(checkpoints["idefics3"])
    batch = AnswerCollator(model, examples)([{"images": number} for number in first])
    with torch.no_grad():
        expected = model.checkpoint.model(**batch).loss.item()
    fit(checkpoints["idefics3"], tmp_path, examples, settings)
    (found,) = pd.read_csv(tmp_path / "losses.csv")["train_loss"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_means_that_an_earlier_version_logged_are_no_losses_of_steps(tmp_path: Path) -> None:
    earlier = {"step": 2, "loss": 4.0, "learning_rate": 0.1}
    history = [earlier, {"step": 2, "eval_loss": 3.0}]
    history += [
        {"step": step, "loss": loss, "step_loss": loss, "learning_rate": 0.1} for step, loss in ((3, 2), (4, 1))
    ]
    history += [{"step": 4, "eval_loss": 2.0}]
    write_losses(tmp_path / "losses.csv", history)
    write_curves(tmp_path / "curves.csv", history)
    assert (tmp_path / "losses.csv").read_text() == "step,train_loss,learning_rate\n3,2,0.1\n4,1,0.1\n"
    assert list(pd.read_csv(tmp_path / "curves.csv")["train_loss"]) == [4.0, 1.5]


def test_interrupted_twice_it_ends_the_same(
    lora: Path, checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    folder = checkpoints["idefics3"]
    for step in (3, 5):
        with pytest.raises(InterruptedError):
            fit(folder, tmp_path, examples, stop_at=step)
        kinds = {path.suffix for path in tmp_path.rglob("checkpoint-*/*")}
        assert not kinds & {".pt", ".pth", ".pkl"}  # `training_args.bin` is written and never read
    whole = max((tmp_path / "steps").glob("checkpoint-*"))
    half = tmp_path / "steps" / "checkpoint-5"  # one that a kill cut short
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes((whole / "adapter_model.safetensors").read_bytes()[:100])
    seen: list[int] = []
    train, validation = examples[:32], examples[32:]
    finetune(
        asked(folder), train, validation, tmp_path, SETTINGS, score=score, progress=lambda step, _: seen.append(step)
    )
    assert seen == [5, 6]
    expected, found = (load_file(one / "adapter_model.safetensors") for one in (lora, tmp_path))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=1e-5, rtol=0), name
    for name in ("curves.csv", "losses.csv"):
        expected_table, table = (
            pd.read_csv(one / name).drop(columns="seconds", errors="ignore") for one in (lora, tmp_path)
        )
        pd.testing.assert_frame_equal(table, expected_table, atol=1e-5)


def test_it_goes_on_from_the_last_checkpoint_that_is_whole(tmp_path: Path) -> None:
    for step in (2, 9, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"%d" % step)
        Marker().on_save(SimpleNamespace(output_dir=str(tmp_path)), SimpleNamespace(global_step=step), None)
    assert last_whole(tmp_path) == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-10" / "adapter_model.safetensors").write_bytes(b"11")
    assert last_whole(tmp_path) == tmp_path / "checkpoint-9"
    (tmp_path / "checkpoint-9" / "whole").write_bytes(b"")
    assert last_whole(tmp_path) == tmp_path / "checkpoint-2"
    (tmp_path / "checkpoint-2" / "adapter_model.safetensors").unlink()
    assert last_whole(tmp_path) is None


@pytest.mark.parametrize("ending", [{}, {"patience": 1, "metric": "score"}])  # at the last step, and before
def test_one_that_was_over_takes_no_step_more(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path, ending: dict[str, Any]
) -> None:
    settings = replace(SETTINGS, **ending)
    first = fit(checkpoints["idefics3"], tmp_path / "first", examples, settings)
    here = (tmp_path / "first").rename(tmp_path / "elsewhere")
    left = (here / "adapter_model.safetensors").read_bytes()
    again = fit(checkpoints["idefics3"], here, examples, settings, stop_at=first.steps + 1)
    assert (again.steps, again.best, again.figures) == (first.steps, first.best, first.figures)
    assert (here / "adapter_model.safetensors").read_bytes() == left


def test_with_nobody_to_validate_the_last_step_is_kept_and_an_interruption_changes_nothing(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    folder = checkpoints["idefics3"]
    settings = replace(SETTINGS, patients="all", balance_grades="copies", steps=5)  # the last is no multiple of two

    def learn(out: Path, stop_at: int = 0) -> Finetuned:
        def progress(step: int, steps: int) -> None:
            if step == stop_at:
                raise InterruptedError

        return finetune(asked(folder), examples, [], out, settings, score=score, progress=progress)

    whole, again = tmp_path / "whole", tmp_path / "again"
    found = learn(whole)
    assert (found.steps, found.best, dict(found.figures)) == (5, 5, {})
    assert [str(verdict)[:4] for verdict in found.verdicts] == ["PASS"] * 4, found.verdicts
    assert "6 training, 0 validation" in found.verdicts[-1].found
    curves = pd.read_csv(whole / "curves.csv")
    assert curves["step"].tolist() == [2, 4, 5]  # the last is kept, wherever it falls
    assert curves["train_loss"].iloc[1] < curves["train_loss"].iloc[0]
    assert curves["seconds"].is_monotonic_increasing
    assert curves[["validation_loss", "validation_metric"]].isna().all(axis=None)
    with pytest.raises(InterruptedError):
        learn(again, stop_at=3)
    learn(again)
    assert same_weights(whole, again)
    shutil.rmtree(whole / "steps" / "checkpoint-2", ignore_errors=True)
    for left in ("adapter_model.safetensors", "curves.csv"):
        (whole / left).unlink()
    learn(whole)  # killed behind the last step: its state is all that is left
    assert same_weights(whole, again)


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load_file(out / "adapter_model.safetensors") for out in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first | second)


def test_a_training_of_all_that_diverges_leaves_no_adapter(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, patients="all", learning_rate=1e30, steps=3)
    with pytest.raises(DivergedError, match="learning_rate"):
        finetune(asked(checkpoints["idefics3"]), examples, [], tmp_path, settings, score=score)
    assert not list(tmp_path.glob("adapter*"))


def test_other_settings_do_not_go_on_from_these(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    with pytest.raises(InterruptedError):
        fit(checkpoints["idefics3"], tmp_path, examples, stop_at=3)
    with pytest.raises(InterruptedError):
        fit(checkpoints["idefics3"], tmp_path, examples, replace(SETTINGS, learning_rate=1e-3), stop_at=1)


def test_full_training_leaves_a_whole_checkpoint_of_the_chosen_towers(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, method="full", towers="language", steps=2)
    found = fit(checkpoints["mllama"], tmp_path, examples, settings)
    assert all(verdict.passed for verdict in found.verdicts), found.verdicts
    before, after = (load_file(one / "model.safetensors") for one in (checkpoints["mllama"], tmp_path))
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed
    assert not [name for name in changed if "vision" in name or "projector" in name]
    assert (
        VisionLanguageModel(tmp_path, tasks=TASKS).checkpoint.content != asked(checkpoints["mllama"]).checkpoint.content
    )


def test_it_stops_when_validation_gets_no_better(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, steps=12, patience=2, metric="score")  # `score` is always the same
    found = fit(checkpoints["idefics3"], tmp_path, examples, settings)
    assert (found.steps, found.best) == (6, 2)


@pytest.mark.parametrize("metric", ["loss", "score"])
def test_one_that_diverges_says_so_and_leaves_nothing_to_go_on_from(
    checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path, metric: str
) -> None:
    settings = replace(SETTINGS, learning_rate=1e30, metric=metric, schedule="constant", warmup=0.0)
    with pytest.raises(DivergedError, match=r"learning_rate.*curves"):
        fit(checkpoints["idefics3"], tmp_path, examples, settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "losses.csv"]


def test_what_cannot_be_trained(checkpoints: dict[str, Path], examples: list[Example], tmp_path: Path) -> None:
    model = asked(checkpoints["idefics3"])
    with pytest.raises(ModelError, match=r"P0: .*training and validation"):
        finetune(model, examples, examples[:4], tmp_path, SETTINGS, score=score)
    with pytest.raises(ModelError, match=r"P4: .*validation and test"):
        finetune(model, examples[:32], examples[32:], tmp_path, SETTINGS, score=score, tested=frozenset({"P4"}))
    with pytest.raises(ModelError, match="0 training slices and 16 validation slices"):
        finetune(model, [], examples[32:], tmp_path, SETTINGS, score=score)
    if not torch.cuda.is_available():
        settings = replace(SETTINGS, optimiser="adamw-8bit")
        with pytest.raises(ModelError, match="adamw-8bit"):
            finetune(model, examples[:32], examples[32:], tmp_path, settings, score=score)
