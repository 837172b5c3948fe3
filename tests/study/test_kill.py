"""A run that is stopped by three signals ends with the same figures as one that was left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file

TIMEOUT_SECONDS = 240


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def start(study: Path, cohort: Path, out: Path) -> subprocess.Popen[bytes]:
    arguments = ["run", str(study), "--cohort", str(cohort), "--out", str(out)]
    # A shell's background jobs ignore SIGINT, and so would their children.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", code + "from gliobench.cli.app import main; main()", *arguments]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, start_new_session=True)


def stop_when(process: subprocess.Popen[bytes], reached: Callable[[], bool], how: signal.Signals) -> None:
    """Send a signal to the process and its workers as soon as `reached`; fails where it ends before."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not reached():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never came so far"
        time.sleep(0.02)
    os.killpg(process.pid, how)
    assert process.wait(TIMEOUT_SECONDS) != 0


def test_three_stops_change_nothing(
    tmp_path: Path, finished_run: Path, phantom_cohort: Path, small_study: Path
) -> None:
    out = tmp_path / "killed"
    curves = out / "networks" / "segmenter" / "fold-0" / "curves.csv"
    answers = out / "answers" / "tiny-mllama-untrained.jsonl"
    moments: list[tuple[signal.Signals, Callable[[], bool]]] = [
        (signal.SIGTERM, lambda: len(list((out / "grid").glob("*/meta.json"))) >= 3),  # preparing
        (signal.SIGINT, lambda: lines_in(curves) >= 4),  # training the segmenter
        (signal.SIGKILL, lambda: lines_in(answers) >= 20),  # asking the language model
    ]
    for how, reached in moments:
        stop_when(start(small_study, phantom_cohort, out), reached, how)
    assert not (out / "scores").exists()
    assert start(small_study, phantom_cohort, out).wait(TIMEOUT_SECONDS) == 0

    for table in ("summary", "per_subject", "votes"):
        killed, whole = (pd.read_parquet(run / "scores" / f"{table}.parquet") for run in (out, finished_run))
        pd.testing.assert_frame_equal(killed, whole, check_exact=True)
    for path in sorted((finished_run / "networks").rglob("*.safetensors")):
        expected, found = load_file(path), load_file(out / path.relative_to(finished_run))
        assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items()), path
    for path in sorted((finished_run / "answers").glob("*.jsonl")):
        keys = [json.loads(line)["key"] for line in (out / "answers" / path.name).read_text().splitlines()]
        assert len(keys) == len(set(keys)), f"{path.name}: a question was asked twice"
        assert set(keys) == {json.loads(line)["key"] for line in path.read_text().splitlines()}
