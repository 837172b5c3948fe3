"""All folders at once: one report, both protocols, the published constants marked as such."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gliobench.scoring.compare import compare_runs
from gliobench.study.progress import Silent
from gliobench.study.replication import is_replication, read_replication, run_replication

STUDY = Path(__file__).parents[2] / "studies" / "replication.yaml"


@pytest.mark.realdata
def test_the_whole_replication(shared: Path, tmp_path: Path) -> None:
    assert is_replication(STUDY)
    page = run_replication(read_replication(STUDY), tmp_path, Silent()).read_text(encoding="utf-8")
    for text in ("As published, and as they stand", "published constant", "always-hgg", "22.8566", "0.7818"):
        assert text in page
    assert "every patient found was used" not in page
    # The README's account of the files: empty ones of fine-tuned grades and boxes, none of two patients' centres.
    assert "<b>patient_010</b>: no file of llama-general-centre" in page
    assert "<b>patient_008</b>: an empty file of llama-finetuned-100-steps; an empty file of llama-general-box" in page
    summary = pd.read_parquet(tmp_path / "scores" / "summary.parquet")
    always = summary[(summary["model"] == "always-hgg") & (summary["metric"] == "accuracy")]
    assert set(always["value"].round(4)) == {0.8}  # 44 of 55, as the study's CNN
    table = compare_runs([tmp_path], "always-hgg", metrics=["balanced_accuracy"])
    assert set(table["model_a"]) >= {"llama-general-axial"}


@pytest.mark.realdata
def test_json_is_all_that_stands_on_standard_output(shared: Path) -> None:
    command = [sys.executable, "-c", "from gliobench.cli import main; main()", "replay"]
    answers = [str(shared / "replication" / "grade" / "general-axial"), "--task", "grade", "--json"]
    done = subprocess.run([*command, *answers], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert {"n_asked", "n_answered", "n_subjects", "coverage", "metrics"} <= found.keys()
    assert found["n_subjects"] == 55
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(43 / 55)
    assert set(found["metrics"]["accuracy"]) >= {"value", "low", "high"}
