"""A package of somebody else's brings a layout, a task, metrics, a baseline, a kind and a view, installed for real, and
goes the whole way of a study."""

import csv
import json
import os
import subprocess
import sys
from importlib import import_module
from itertools import combinations_with_replacement
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import BRATS_REGIONS, WHOLE
from gliobench.grid.store import open_subject
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.geometry import Mask

PLUGIN = Path(__file__).parents[1] / "plugin"
STUDY = """\
name: own
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 6}
tasks: [grade, box, mask, diameter]
consistency: {subjects: 2, repeats: 2, task: diameter}
models:
  - {kind: threshold, name: bright, above: 150}
  - {kind: baseline, name: slice-width}
  - kind: vlm
    name: free-untrained
    checkpoint: tiny-mllama
    tasks: [grade, diameter]
    view: {name: two-colours, scale: 2}
    shots: 1
    max_new_tokens: 4
  - kind: vlm
    name: held-untrained
    checkpoint: tiny-mllama
    tasks: [grade, diameter]
    view: {name: two-colours, scale: 2}
    answer: {grade: choice, diameter: constrained}
    temperature: 2.0
"""
# Of 10 mm: twice as long, and nothing that can be read. Of no tumour: right, and one of 6 mm.
TABLE = """\
subject,truth,answer,spacing_mm
A,"[[0, 0], [3, 4]]","(0, 0), (0, 10)",2
A,"[[0, 0], [3, 4]]",nonsense,2
B,,none,2
B,,"(0, 0), (0, 3)",2
"""
IN_ONE_PROCESS = """
import json, sys
from gliobench.cli.app import app
for arguments in json.loads(sys.argv[1]):
    app(arguments, standalone_mode=False)
    print("\\0", flush=True)
"""


def gliobench(environment: dict[str, str], *commands: list[str]) -> list[str]:
    """What each of the commands prints, all given in one process."""
    command = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(commands)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout.split("\0\n")[:-1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which the package is installed."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for path in PLUGIN.glob("*.*"):
        (source / path.name).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    return {
        **os.environ,
        "COLUMNS": "200",
        "PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")]),
    }


@pytest.fixture(scope="module")
def diagnosed(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom patients as the package's layout has them."""
    folder = tmp_path_factory.mktemp("diagnosed")
    (folder / "scans").mkdir()
    with (phantom_cohort / "name_mapping.csv").open() as table:
        grades = {row["BraTS_2020_subject_ID"]: row["Grade"] for row in csv.DictReader(table)}
    for id in grades:
        for ours, theirs in {**{name: name for name in ("flair", "t1", "t1ce", "t2")}, "seg": "outline"}.items():
            (folder / "scans" / f"{theirs} of {id}.nii.gz").symlink_to(phantom_cohort / id / f"{id}_{ours}.nii.gz")
    (folder / "diagnosis.json").write_text(json.dumps(grades))
    return folder


def longest_mm(pixels: Any, spacing_mm: tuple[float, float]) -> float:
    """The longest distance of all pairs of pixels; 0 where there are none."""
    places = np.argwhere(pixels) * spacing_mm
    return max((float(np.hypot(*(a - b))) for a, b in combinations_with_replacement(places, 2)), default=0.0)


def read(run: Path, model: str, task: str) -> list[dict[str, Any]]:
    lines = (run / "answers" / f"{model}.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["task"] == task and not record["repeat"]]


def test_a_package_goes_the_whole_way(installed: dict[str, str], diagnosed: Path, tmp_path: Path) -> None:
    study, table, run = tmp_path / "study.yaml", tmp_path / "table.csv", tmp_path / "run"
    study.write_text(STUDY)
    table.write_text(TABLE)
    where = [str(study), "--cohort", str(diagnosed), "--out", str(run)]
    compared, of_task = tmp_path / "compared.csv", ["--task", "diameter", "--json"]
    listed, plan, first, again, _, replayed, own = gliobench(
        installed,
        ["list"],
        ["plan", *where, "--json"],
        ["run", *where],
        ["run", *where],
        ["compare", str(run), "--csv", str(compared)],
        ["replay", str(table), *of_task],
        ["replay", str(run / "answers" / "held-untrained.jsonl"), *of_task],
    )
    brought = {line.split()[0] for line in listed.splitlines() if "gliobench-test-plugin" in line}
    assert brought >= {
        "threshold",
        "diameter",
        "diameter_error_mm",
        "nsd_2mm",
        "diagnosed",
        "slice-width",
        "two-colours",
        "one-layer",
    }
    questions = {one["model"]: one["questions"] for one in json.loads(plan)["steps"] if one["stage"] == "predict"}
    assert set(questions) == {"bright", "slice-width", "free-untrained", "held-untrained"}
    assert all(found["value"] > 0 for found in questions.values())
    assert "recognised as diagnosed scans" in first
    assert again.count("skipped, its inputs have not changed") == 8
    assert "done in" not in again

    said = read(run, "held-untrained", "diameter")
    subjects = prepared(run, {one["subject"] for one in said})
    spacing_mm = {id: subject.spacing_mm[1:] for id, subject in subjects.items()}
    asked = [(one["subject"], one["index"]) for one in said]
    true_mm = {(id, index): longest_mm(subjects[id].tumour[index], spacing_mm[id]) for id, index in asked}
    summary = pd.read_parquet(run / "scores" / "summary.parquet").set_index(["model", "task", "metric"])["value"]
    width_mm = {(id, index): 31 * spacing_mm[id][1] for id, index in asked}
    assert summary["slice-width", "diameter", "diameter_error_mm"] == pytest.approx(error_mm(width_mm, true_mm))
    bright_mm = {(id, index): longest_mm(subjects[id].image[0, index] > 150, spacing_mm[id]) for id, index in asked}
    assert summary["bright", "diameter", "diameter_error_mm"] == pytest.approx(error_mm(bright_mm, true_mm))
    assert 0 < summary["bright", "mask", "nsd_2mm"] < 1

    ends = [one for one in said if one["value"] and "ends" in one["value"]]
    assert ends, "random as it is, it names two ends at least once"
    for one in ends:
        shown = np.array([int(number) for number in one["text"].translate(str.maketrans("(),", "   ")).split()])
        assert one["value"]["ends"] == ((shown.reshape(2, 2) + 0.5) / 2 - 0.5).tolist()
    assert {one["finish"] for one in read(run, "held-untrained", "grade")} == {"choice"}
    assert json.loads(own)["metrics"]["diameter_error_mm"]["value"] == pytest.approx(
        summary["held-untrained", "diameter", "diameter_error_mm"]
    )
    assert json.loads(replayed)["metrics"]["diameter_error_mm"]["value"] == ((10 + 100) / 2 + (0 + 6) / 2) / 2

    rows = pd.read_csv(compared).set_index(["model_a", "model_b", "metric"])
    assert rows.loc[("bright", "slice-width", "diameter_error_mm"), "difference"].item() == pytest.approx(
        error_mm(bright_mm, true_mm) - error_mm(width_mm, true_mm)
    )
    page, text = ((run / "report" / f"report.{ending}").read_text() for ending in ("html", "md"))
    assert "diameter: error of the diameter (mm)" in text
    assert "error of the diameter (mm), lower is better" in page
    assert "surface Dice at 2 mm, higher is better" in page


def prepared(run: Path, ids: set[str]) -> dict[str, PreparedSubject]:
    entries = json.loads((run / "prepared.json").read_text())["subjects"]
    return {one["id"]: open_subject(run / "grid" / one["content"]) for one in entries if one["id"] in ids}


def error_mm(answer_mm: dict[tuple[str, int], float], true_mm: dict[tuple[str, int], float]) -> float:
    """The mean over patients of the mean over slices."""
    by_subject: dict[str, list[float]] = {}
    for (subject, index), mm in true_mm.items():
        by_subject.setdefault(subject, []).append(abs(answer_mm[subject, index] - mm))
    return mean(map(mean, by_subject.values()))


def test_the_packages_task_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """3, 4 and 5 on pixels of 2 mm."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    task = import_module("gliobench_test_plugin").DiameterTask()
    frame = SliceFrame("axial", 0, (6, 8), (2.0, 2.0))
    pixels = np.zeros(frame.shape, bool)
    assert task.of_mask(Mask(frame, pixels)) is None
    pixels[[1, 1, 4], [1, 5, 1]] = True
    found = task.of_mask(Mask(frame, pixels))
    assert found.length_mm == 10
    assert task.write(found) == "(1, 5), (4, 1)"
    assert task.parse("It ends at (1, 5) and (4, 1).", frame, False) == Answered(found)
    assert task.parse("none", frame, False) == Answered(None)
    assert isinstance(task.parse("from (1, 5) to (6, 1)", frame, False), Malformed)
    larger = task.enlarge(found, 2)
    assert larger.ends == ((2.5, 10.5), (8.5, 2.5))
    assert task.reduce(larger, frame, 2) == found
    core = BRATS_REGIONS["core"]
    assert task.prompt_about(WHOLE).text.startswith("Where does the tumour's longest diameter end?")
    assert task.prompt_about(core).text == f"Where does the longest diameter of the {core.words} end?"
