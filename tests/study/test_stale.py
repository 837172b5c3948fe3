"""What has changed since a stage was done is seen, wherever it lies, and what has not is left alone."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from gliobench.cohort.phantom import write_phantom
from gliobench.integrity import read_json, write_json
from gliobench.models.tiny import write_tiny_mllama
from gliobench.records.store import RecordStore
from gliobench.study.asking.answers import current_answers
from gliobench.study.config.study import StudyError, read_study, with_fold
from gliobench.study.parts.stage import Stage
from gliobench.study.run import run_stages
from gliobench.study.showing.report import report
from gliobench.study.stages.predict import predict
from gliobench.study.stages.score import score
from gliobench.study.stages.train import train
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.external_files import contents
from gliobench.study.state.progress import Silent
from gliobench.tasks.prompt_file import PromptError

HEAD = """\
name: stale
grid: {shape: [24, 32, 32]}
split: {scheme: cross-validation, folds: 2, seed: 1, validation_share: 0.3}
slices: {every: 8}
tasks: [grade, mask]
models:
  - {kind: baseline, name: majority-grade}
"""
NETWORK = """\
  - kind: network
    name: segmenter
    network: mask-segmenter
    train: {epochs: 1}
"""
ASKED = """\
  - {kind: vlm, name: asked, checkpoint: CHECKPOINT, tasks: [grade], max_new_tokens: 2}
"""


@dataclass
class Notebook(Silent):
    """A voice that remembers what was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight phantom patients of 3 mm; they are prepared once, beside them."""
    folder = tmp_path_factory.mktemp("stale") / "cohort"
    write_phantom(folder, subjects=8, seed=3, spacing_mm=3)
    return folder


@pytest.fixture
def finished(tmp_path: Path, cohort: Path) -> Context:
    """A baseline in cross-validation, scored and reported."""
    context = study_of(tmp_path, HEAD, cohort)
    run_stages(context)
    return context


def study_of(folder: Path, text: str, cohort: Path) -> Context:
    """A study in `folder`."""
    (folder / "study.yaml").write_text(text)
    study = read_study(folder / "study.yaml")
    return make_context(study, cohort=cohort, out=folder / "run", store=cohort.parent / "grid", voice=Notebook())


def skipped(context: Context) -> set[str]:
    assert isinstance(context.voice, Notebook)
    said = {line.split(":")[0] for line in context.voice.lines if "skipped, its inputs have not changed" in line}
    context.voice.lines.clear()
    return said


def test_other_weights_in_the_same_folder_are_asked(tmp_path: Path, cohort: Path) -> None:
    checkpoint = write_tiny_mllama(tmp_path / "checkpoint")
    context = study_of(tmp_path, HEAD + ASKED.replace("CHECKPOINT", str(checkpoint)), cohort)
    run_stages(context)
    first = [record.key for record in current_answers(context, "asked")]
    run_stages(context)
    assert {"predict-asked", "score", "report"} <= skipped(context)
    write_tiny_mllama(checkpoint, seed=1)
    run_stages(context)
    assert not {"predict-asked", "score", "report"} & skipped(context)
    assert not set(first) & {record.key for record in current_answers(context, "asked")}


def test_adapters_and_prompts_count_by_what_is_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    adapter, prompts = tmp_path / "adapter", tmp_path / "prompts.yaml"
    adapter.mkdir()
    save_file({"weight": torch.zeros(2)}, adapter / "adapter_model.safetensors")
    text = HEAD + ASKED.replace("CHECKPOINT", "some/base, adapter: ~/adapter, prompts: prompts.yaml#mine")
    (tmp_path / "study.yaml").write_text(text)

    def seen(lora_alpha: int, words: str) -> object:
        (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": lora_alpha}))
        prompts.write_text(json.dumps({"mine": {"text": words}, "other": {"text": f"{lora_alpha} {words}"}}))
        return contents(read_study(tmp_path / "study.yaml").models[1])

    once = seen(16, "Which grade?")
    assert once == seen(16, "Which grade?")
    assert once != seen(64, "Which grade?")
    assert once != seen(16, "What grade?")
    prompts.write_text("other: {text: words}\n")
    with pytest.raises(PromptError, match="no prompt under the key 'mine'"):
        contents(read_study(tmp_path / "study.yaml").models[1])


def test_a_prompt_that_is_not_there_stops_a_run_before_it_begins(tmp_path: Path, cohort: Path) -> None:
    text = HEAD + NETWORK + ASKED.replace("CHECKPOINT", "some/base, prompts: absent.yaml")
    context = study_of(tmp_path, text, cohort)
    with pytest.raises(StudyError, match=r"study.yaml:\d+: models.\d.prompts: .*absent.yaml .* is not there"):
        run_stages(context)
    assert not context.folder.prepared.exists()


def test_a_network_learnt_with_other_settings_is_not_asked(tmp_path: Path, cohort: Path) -> None:
    context = study_of(tmp_path, HEAD + NETWORK, cohort)
    run_stages(context)
    longer = study_of(tmp_path, HEAD + NETWORK.replace("epochs: 1", "epochs: 2"), cohort)
    with pytest.raises(StageError, match=r"segmenter-fold-0 .*`gliobench train --model segm"):
        predict(longer)
    before = [record.key for record in current_answers(longer, "segmenter")]
    train(longer)
    predict(longer)
    assert not set(before) & {record.key for record in current_answers(longer, "segmenter")}


def test_an_answer_that_changed_is_scored_again(finished: Context) -> None:
    skipped(finished)
    answers = finished.folder.answers("majority-grade")
    records = [replace(one, value={"grade": 0}) for one in RecordStore(answers).read()]
    answers.write_text("".join(one.to_json() + "\n" for one in records))
    score(finished)
    report(finished)
    assert skipped(finished) == set()
    figures = pd.read_parquet(finished.folder.scores / "summary.parquet").set_index("metric")["value"]
    assert figures["specificity"] == 1, "every answer is LGG now"


def test_other_folds_than_were_asked_are_not_scored(finished: Context) -> None:
    one = replace(finished, study=with_fold(finished.study, "0"))
    with pytest.raises(StageError, match=r"8 test patients.* 4"):
        score(one)
    predict(one)
    score(one)
    with pytest.raises(StageError, match="was asked about 4 test patients, and these folds have 8"):
        score(finished)


def test_the_report_follows_the_study_file_and_who_was_left_out(finished: Context) -> None:
    skipped(finished)
    page = report(finished)
    assert skipped(finished) == {"report"}
    report(replace(finished, study=finished.study.model_copy(update={"name": "renamed"})))
    assert skipped(finished) == set()
    assert "renamed" in page.read_text()
    left = read_json(finished.folder.prepared)
    left["left_out"] = [{"subject_id": "Phantom_099", "problem": "no mask"}]
    write_json(finished.folder.prepared, left)
    report(replace(finished))
    assert "Phantom_099" in page.read_text()


def test_a_run_whose_question_lists_have_earlier_names_goes_on_and_asks_nothing_twice(finished: Context) -> None:
    lists, stamp = (
        finished.folder.validation("majority-grade"),
        finished.folder.stamp(Stage("predict", "majority-grade")),
    )
    earlier = lists.with_name("majority-grade.deciding.json")
    lists.rename(earlier)
    stamp.write_text(stamp.read_text().replace(lists.name, earlier.name))
    before = (finished.folder.root / "answers" / "majority-grade.jsonl").read_bytes()
    skipped(finished)
    run_stages(finished)
    assert "predict-majority-grade" not in skipped(finished)
    assert lists.exists()
    assert (finished.folder.root / "answers" / "majority-grade.jsonl").read_bytes() == before
