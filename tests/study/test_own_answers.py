"""A run's own answers under both protocols: the standard figures are the run's own, the published ones are by hand."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from tests.study.scored import run_to_scores
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.errors import GliobenchError
from gliobench.grid.frame import take_slice
from gliobench.integrity import read_json, write_json
from gliobench.study.asking.questions import asked_slices
from gliobench.study.config.study import read_study
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context

STUDY = """\
name: own
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 3}
tasks: [grade, centre, box, polygon, mask]
models:
  - {kind: baseline, name: flair-blob}
  - {kind: replay, name: said, answers: said.jsonl}
  - {kind: replay, name: enlarged, answers: enlarged.jsonl, tasks: [centre], view: {scale: 2}}
"""
SHIFT_PX = 2


def box_of(context: Context, id: str, index: int) -> tuple[int, int, int, int]:
    """First and last row and column with tumour."""
    rows, columns = np.nonzero(take_slice(context.subjects[id].tumour, "axial", index))
    return int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max())


def texts(context: Context, scale: int = 1) -> Iterator[dict[str, object]]:
    """HGG of all; the middle of every box, two rows too low; every other one unread; boxes two rows too low."""
    for id, indices in asked_slices(context, "axial").items():
        for place, index in enumerate(indices):
            top, left, bottom, right = box_of(context, id, index)
            row, column = (top + bottom) // 2 + SHIFT_PX, (left + right) // 2
            low, high = top + SHIFT_PX, bottom + SHIFT_PX
            corners = f"({low}, {left}), ({low}, {right}), ({high}, {right}), ({high}, {left})"
            said = {
                "grade": "Choice: 1",
                "centre": f"({row * scale}, {column * scale})" if place % 2 == 0 else "I cannot tell.",
                "box": f"[{corners}]",
                "polygon": f"({corners})",
            }
            for task, answer in said.items():
                yield {"subject": id, "task": task, "plane": "axial", "slice": index, "answer": answer}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.yaml").write_text(STUDY)
    context = make_context(read_study(folder / "own.yaml"), cohort=phantom_cohort, out=folder / "run")
    prepare(context)
    split(context)
    for name, scale in (("said", 1), ("enlarged", 2)):
        rows = [row for row in texts(context, scale) if scale == 1 or row["task"] == "centre"]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_to_scores(context)
    return context


def replayed(run: Path, task: str, *options: str, name: str = "said") -> Result:
    return CliRunner().invoke(app, ["replay", str(run / "answers" / f"{name}.jsonl"), "--task", task, *options])


def figures(run: Path, task: str, *options: str, name: str = "said") -> dict[str, dict[str, float]]:
    result = replayed(run, task, "--json", *options, name=name)
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    sides = {side: found[side] for side in ("standard", "published") if side in found} or {"standard": found}
    return {side: {name: one["value"] for name, one in external["metrics"].items()} for side, external in sides.items()}


def refused(result: Result) -> str:
    assert isinstance(result.exception, GliobenchError), result.output
    return str(result.exception)


def scored(context: Context, model: str, task: str) -> dict[str, float]:
    """The figures of the run's own scores that are defined."""
    summary = pd.read_parquet(context.folder.scores / "summary.parquet")
    rows = summary[(summary["model"] == model) & (summary["task"] == task) & (summary["source"] == task)]
    return {name: value for name, value in zip(rows["metric"], rows["value"], strict=True) if value == value}


@pytest.mark.parametrize("task", ["grade", "centre", "box", "polygon"])
def test_the_standard_figures_are_those_of_the_runs_own_scores(own: Context, task: str) -> None:
    found = figures(own.folder.root, task, "--protocol", "both")["standard"]
    defined = {name: value for name, value in found.items() if value is not None}
    assert defined == pytest.approx(scored(own, "said", task))
    assert len(found) >= 3


def test_the_published_centre_by_hand(own: Context) -> None:
    """Of the read answers alone; the middle of a box is 2 rows away, or 1.5 where its rows are even in number."""
    shares, distances = [], []
    for id, indices in asked_slices(own, "axial").items():
        inside, far = [], []
        for index in indices[::2]:
            top, left, bottom, right = box_of(own, id, index)
            row, column = (top + bottom) // 2 + SHIFT_PX, (left + right) // 2
            inside.append(top <= row <= bottom)
            far.append(np.hypot(row - (top + bottom) / 2, column - (left + right) / 2))
        shares.append(np.mean(inside))
        distances.append(np.percentile(far, 95))
    found = figures(own.folder.root, "centre", "--protocol", "both")
    assert found["published"]["in_box"] == pytest.approx(np.mean(shares))
    assert found["published"]["distance_to_centre_p95_px"] == pytest.approx(np.mean(distances))
    assert found["standard"]["in_box"] < 0.7 * found["published"]["in_box"]  # every other answer cannot be read
    grades = [own.subjects[id].grade for id in own.tested]
    accuracy = figures(own.folder.root, "grade", "--protocol", "published")["standard"]["accuracy"]
    assert accuracy == pytest.approx(np.mean(grades))


def test_both_stand_side_by_side_with_what_differs(own: Context) -> None:
    printed = replayed(own.folder.root, "box", "--protocol", "both").output
    assert "a run's own records" in printed
    assert "published:" in printed
    assert "Slices of 32 x 32 px" in printed
    assert "made for 128 x 128 px at 1 mm" in printed
    assert "128 x 128" not in replayed(own.folder.root, "box").output
    assert "whatever `aggregate:` of the study says" in replayed(own.folder.root, "grade").output


def test_answers_in_other_pixels_have_standard_figures_and_no_published_ones(own: Context) -> None:
    found = figures(own.folder.root, "centre", name="enlarged")["standard"]
    defined = {name: value for name, value in found.items() if value is not None}
    assert defined == pytest.approx(scored(own, "enlarged", "centre"))
    for protocol in ("published", "both"):
        message = refused(replayed(own.folder.root, "centre", "--protocol", protocol, name="enlarged"))
        assert "was answered in other pixels than the slice's own" in message
        assert "enlarged.jsonl:1: " in message


def test_what_was_not_asked_and_what_is_gone_is_named(own: Context, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(own.folder.root, run)
    assert "enlarged was not asked for box: it was asked for centre" in refused(replayed(run, "box", name="enlarged"))
    assert "in no coronal slice: give --plane axial" in refused(replayed(run, "box", "--plane", "coronal"))
    message = refused(replayed(run, "box", name="flair-blob"))
    assert "flair-blob was not asked for box: it was asked for mask" in message
    (run / "grid").rename(tmp_path / "elsewhere")
    assert "give their folder with --store" in refused(replayed(run, "box"))
    assert replayed(run, "box", "--store", str(tmp_path / "elsewhere")).exit_code == 0
    prepared = read_json(run / "prepared.json")
    whole = list(prepared["subjects"])
    prepared["subjects"] = [{**one, "content": "0" * 64} for one in whole]
    write_json(run / "prepared.json", prepared)
    assert "has other images than those that" in refused(replayed(run, "box"))
    write_json(run / "prepared.json", {**prepared, "subjects": []})
    assert "is not among the patients that" in refused(replayed(run, "box"))
    (run / "answers" / "said.asked.json").write_text("[")
    assert "run `gliobench predict`" in refused(replayed(run, "box"))


def test_a_damaged_record_is_named_with_its_line(own: Context, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(own.folder.root, run)
    path = run / "answers" / "said.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1].replace("Choice", "Chojce"), *lines[2:]]))
    assert "said.jsonl:2: a damaged record" in refused(replayed(run, "grade"))
    path.write_text("".join(lines[1:]))
    assert f"1 of {len(lines)} answers are gone" in refused(replayed(run, "grade"))
