"""All folders at once: one report, both protocols, the published constants marked as such."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gliobench.replay.outcome import replay
from gliobench.replay.tables import write_tables
from gliobench.scoring.compare import compare_runs
from gliobench.study.config.replay import is_replication, read_replication
from gliobench.study.config.study import StudyError
from gliobench.study.replication.outlines import middle_outlines, write_external_figures
from gliobench.study.replication.run import run_replication
from gliobench.study.showing.outlines import file_name
from gliobench.study.state.progress import Silent

STUDY = Path(__file__).parents[2] / "studies" / "replication.yaml"


@pytest.mark.realdata
def test_the_whole_replication(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_REPLICATION", str(shared / "replication"))
    assert is_replication(STUDY)
    page = run_replication(read_replication(STUDY), tmp_path, Silent()).read_text(encoding="utf-8")
    for text in ('<section id="sides">', "published constant", "always-hgg", "22.8566", "0.7818"):
        assert text in page
    assert "every patient found was used" not in page
    # The README's account of the files: empty ones of fine-tuned grades and boxes, none of two patients' centres.
    assert "<b>patient_010</b>: no file of llama-general-centre" in page
    assert "<b>patient_008</b>: an empty file of llama-finetuned-100-steps; an empty file of llama-general-box" in page
    summary = pd.read_parquet(tmp_path / "scores" / "summary.parquet")
    always = summary[(summary["model"] == "always-hgg") & (summary["metric"] == "accuracy")]
    assert set(always["value"].round(4)) == {0.8}  # 44 of 55, as the study's CNN
    whole = summary[(summary["model"] == "whole-slice") & (summary["metric"] == "recall")]
    assert set(whole["task"]) == {"box", "polygon", "mask"}
    assert '<section id="outlines">' in page
    table = compare_runs([tmp_path], "always-hgg", metrics=["balanced_accuracy"])
    assert set(table["model_a"]) >= {"llama-general-axial"}


@pytest.mark.realdata
def test_json_is_all_that_stands_on_standard_output(shared: Path) -> None:
    command = [sys.executable, "-c", "from gliobench.cli.app import main; main()", "replay"]
    answers = [str(shared / "replication" / "grade" / "general-axial"), "--task", "grade", "--json"]
    done = subprocess.run([*command, *answers], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {"n_asked", "n_answered", "n_subjects", "coverage", "metrics"} <= found.keys()
    assert found["n_subjects"] == 55
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(43 / 55)
    assert set(found["metrics"]["accuracy"]) >= {"value", "low", "high"}


def test_the_whole_slice_stands_beside_boxes_and_any_patient_is_drawn(tmp_path: Path) -> None:
    box = "[(10, 20), (10, 39), (29, 39), (29, 20)]"
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "patient_0.txt").write_text(f"Ground truth: {box} || Model output: {box}\n" * 3)
    (answers / "patient_1.txt").write_text(f"Ground truth: {box} || Model output: no\n")
    file = tmp_path / "study.yaml"
    file.write_text("name: r\ncohort: x\nreplay:\n  - {name: a, task: box, answers: answers}\n")
    study = read_replication(file)
    run_replication(study, tmp_path / "out", Silent())
    summary = pd.read_parquet(tmp_path / "out" / "scores" / "summary.parquet")
    whole = summary[(summary["model"] == "whole-slice") & (summary["metric"] == "dice")]
    # 20 x 20 pixels of 128 x 128, also stacked; its centre would be the middle of the image and is not shown.
    assert dict(zip(whole["task"], whole["value"], strict=True)) == pytest.approx(
        dict.fromkeys(("box", "mask"), 2 * 400 / (400 + 128 * 128))
    )
    (path,) = write_external_figures(study, "patient_001", None, tmp_path / "figures")
    assert path.name == "patient_001-a.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    (item,) = middle_outlines([replay(answers, "box", "standard", name="a")])
    assert (item.subject, item.n_asked, item.n_answered, len(item.truth)) == ("patient_000", 3, 3, 3)
    assert file_name("../../nobody", "a") == ".._.._nobody-a.png"
    with pytest.raises(StudyError, match=r"nobody: .*patient_000, patient_001"):
        write_external_figures(study, "nobody", None, tmp_path)
    with pytest.raises(StudyError, match=r"\bb\b.*: a"):
        write_external_figures(study, "patient_001", ["b"], tmp_path)


def test_a_key_given_twice_is_shown_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: x\nreplay: []\nname: y\n")
    with pytest.raises(StudyError, match=r"study.yaml:3: the key 'name' .* line 1"):
        read_replication(file)


@pytest.mark.realdata
def test_a_run_made_by_replay_is_compared_with_the_whole_study(shared: Path, tmp_path: Path) -> None:
    for name in ("general-axial", "general-coronal"):
        outcome = replay(shared / "replication" / "grade" / name, "grade", "standard")
        write_tables(outcome, tmp_path / name)
    table = compare_runs([tmp_path / "general-axial", tmp_path / "general-coronal"], metrics=["accuracy"])
    (row,) = table.to_dict("records")
    # Of 55: 43 right against 44; one patient disagrees, in one direction.
    assert (row["n_subjects"], row["p"]) == (55, 1.0)
    assert row["difference"] == pytest.approx(-1 / 55)
