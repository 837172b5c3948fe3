"""Recorded answers about three classes, in every form; figures counted by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.problem import NODULES
from gliobench.replay.errors import ReplayError
from gliobench.replay.outcome import replay, standard_side
from gliobench.replay.read import read_external
from gliobench.scoring.votes import Votes
from gliobench.study.config.problem import read_problem
from gliobench.study.config.replay import read_replication
from gliobench.study.config.study import StudyError
from gliobench.study.replication.run import run_replication
from gliobench.study.state.progress import Silent

# By patient the truth, and what was said of each slice: two of the four patients are right by majority.
SAID = {
    "A": ("benign", ["Choice: 0", "benign", "Choice: 2"]),
    "B": ("indeterminate", ["Choice: 1", "an indeterminate nodule"]),
    "C": ("malignant", ["no nodule", "Choice: 3"]),
    "D": ("malignant", ["I cannot tell", "benign", "Choice: 0"]),
}


def table(folder: Path) -> Path:
    rows = [{"subject": id, "truth": truth, "answer": one} for id, (truth, said) in SAID.items() for one in said]
    path = folder / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("by", ["name", "file"])
def test_three_classes_of_nodules(tmp_path: Path, by: str) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("name: x\nproblem: nodules\n")
    options = ["--task", "class", "--problem", "nodules" if by == "name" else str(study)]
    done = CliRunner().invoke(app, ["replay", str(table(tmp_path)), *options, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["problem"] == "nodules"
    assert (found["n_asked"], found["n_answered"], found["unanswered"]) == (10, 9, {"refused": 1})
    assert found["metrics"]["accuracy"]["value"] == 0.5
    assert found["metrics"]["balanced_accuracy"]["value"] == pytest.approx((1 + 1 + 0) / 3)
    words = CliRunner().invoke(app, ["replay", str(table(tmp_path)), *options]).stdout
    assert "class, 10 answers about 4 patients" in words
    assert "a patient's class is the majority" in words
    assert "grade" not in words


def test_text_files_name_or_number_the_classes(tmp_path: Path) -> None:
    for folder in ("slices", "truths"):
        (tmp_path / folder).mkdir()
    for number, (truth, said) in enumerate(SAID.values()):
        lines = [f"Slice #{index} => {one}" for index, one in enumerate(said)]
        tally = ["Tally [benign, indeterminate, malignant, none, unread]: [2, 0, 1, 0, 0]"] if number == 0 else []
        text = "\n".join([*lines, *tally, f"True Label: {truth} || Prediction Label: benign"])
        (tmp_path / "slices" / f"patient_{number}.txt").write_text(text)
        numbered = f"Ground truth: {NODULES.classes.index(truth)} || Model output: "
        (tmp_path / "truths" / f"patient_{number}.txt").write_text("\n".join(numbered + one for one in said))
    for folder in ("slices", "truths"):
        side = standard_side(replay(tmp_path / folder, "grade", "standard", problem=NODULES))
        assert (side.n_asked, side.n_answered, side.figures["accuracy"].value) == (10, 9, 0.5)
    found = read_external(tmp_path / "slices", "grade", problem=NODULES)
    assert found.tallies == {"patient_000": Votes((2, 0, 1), 0, 0)}
    with pytest.raises(
        ReplayError, match=r"`True Label: LGG` or `True Label: HGG` is expected, found benign in line 5"
    ):
        read_external(tmp_path / "slices", "grade")


def test_what_is_of_gliomas_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"published protocol .* of glioma, and these answers are about nodules"):
        replay(table(tmp_path), "grade", "both", problem=NODULES)
    with pytest.raises(ReplayError, match="the truth of a grade is LGG, HGG, 0 or 1; found 'benign'"):
        replay(table(tmp_path), "grade", "standard")


def test_a_problem_is_a_name_or_a_study_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("problem:\n  name: livers\n  images: {ct: {words: CT}}\n  classes: [early, late]\n")
    assert read_problem(str(own)).classes == ("early", "late")
    own.write_text("problem:\n  name: livers\n  images: {ct: {words: CT}}\n  classes: [early]\n")
    with pytest.raises(StudyError, match=r"own.yaml:1: problem: .*two or more"):
        read_problem(str(own))
    with pytest.raises(StudyError, match=r"--problem livers: neither a problem \(glioma, nodules.*\) nor a study file"):
        read_problem("livers")


def test_a_study_of_answers_about_nodules(tmp_path: Path) -> None:
    table(tmp_path)
    file = tmp_path / "study.yaml"
    entry = "{name: someone, task: class, answers: answers.jsonl}"
    planned = "comparisons: [[someone, majority-class]]"
    file.write_text(f"name: n\ncohort: CT\nproblem: nodules\nreplay: [{entry}]\n{planned}\n")
    page = run_replication(read_replication(file), tmp_path / "out", Silent()).read_text(encoding="utf-8")
    summary = pd.read_parquet(tmp_path / "out" / "scores" / "summary.parquet").set_index(["model", "metric"])["value"]
    assert summary["someone", "accuracy"] == 0.5
    assert summary["majority-class", "accuracy"] == 0.5  # two of four are malignant
    assert summary["majority-class", "balanced_accuracy"] == pytest.approx(1 / 3)
    assert "HGG" not in page
    without = "{name: n, images: {ct: {}}, target: nodule, regions: {nodule: [1]}}"
    file.write_text(f"name: n\ncohort: CT\nproblem: {without}\nreplay: [{entry}]\n")
    with pytest.raises(StudyError, match="has no classes"):
        read_replication(file)
