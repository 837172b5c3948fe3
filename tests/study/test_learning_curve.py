"""Learning curves from phantoms to the report, interrupted and resumed."""

import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.cohort.phantom.nodules import write_nodules
from gliobench.models.classical import grade
from gliobench.report.learning import learning_sections
from gliobench.study.config.study import Study, StudyError, read_study
from gliobench.study.plan.make import make_plan
from gliobench.study.showing.report import report_contents
from gliobench.study.stages import branches as stage
from gliobench.study.stages.curve import curve, read_curve
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores, score
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.curve import Point, at_point, curve_models, draws_of, points_of
from gliobench.study.state.folder import StudyFolder

HEAD = """\
name: nodules
problem:
  name: nodules
  images: {ct: [-1000, 400]}
  classes: [benign, malignant]
  unknown: [indeterminate]
  target: nodule
  scan: chest CT
  regions: {nodule: [1]}
  body: everything
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 4, seed: 1}
tasks: [grade]
"""
STUDY = f"""\
{HEAD}learning_curve: {{sizes: [4, 2, 500], repeats: 2}}
models:
  - {{kind: baseline, name: majority-grade}}
  - {{kind: classical, name: radiomics, region: truth}}
  - {{kind: python, name: own, model: "own.py:Own"}}
  - {{kind: python, name: general, model: "own.py:General"}}
"""
# The one calls malignant what is brighter than the mean of those it learnt from, the other everything.
OWN = """\
class Own:
    tasks = ["grade"]

    def fit(self, train, validation):
        self.mean = sum(one.image.mean() for one in train) / len(train)

    def predict(self, questions):
        return [float(question.subject.image.mean() > self.mean) for question in questions]


class General:
    tasks = ["grade"]

    def predict(self, questions):
        return [0.5 + question.subject.image.mean() / 1000 for question in questions]
"""


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade, "TREES", 3)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A study as far as its scores."""
    folder = tmp_path_factory.mktemp("curve")
    write_nodules(folder / "patients", subjects=24, seed=0)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "own.py").write_text(OWN)
    study = read_study(folder / "study.yaml")
    context = make_context(study, cohort=folder / "patients", out=folder / "run", workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "TREES", 3)
        for one in (prepare, split, predict, score):
            one(context)
    return context


@pytest.fixture(scope="module")
def drawn(scored: Context) -> Context:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "TREES", 3)
        curve(scored)
    return scored


def written(context: Context) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in context.folder.curve("").rglob("*") if path.suffix != ".lock"}


def test_each_point_learns_from_a_subset_and_answers_what_the_study_asks(drawn: Context) -> None:
    points, left = points_of(drawn.study, drawn.folds, draws_of(drawn))
    assert [(one.size, one.repeat, one.patients) for one in points] == [(2, 0, 2), (2, 1, 2), (4, 0, 4), (4, 1, 4)]
    assert len(left) == 1
    model = drawn.study.models[1]
    (small,), (large,) = (at_point(drawn, model, points[place]).folds.values() for place in (1, 3))
    (whole,) = drawn.folds.values()
    assert set(small.train) < set(large.train) < set(whole.train)
    assert (small.validation, small.test) == (whole.validation, whole.test)
    assert {drawn.subjects[id].grade for id in small.train} == {0, 1}  # nobody of an unknown class, who teaches nothing


def test_the_tables_are_those_of_the_points(drawn: Context) -> None:
    tables = read_curve(drawn)
    assert tables is not None
    figures = tables.figures[tables.figures["metric"] == "balanced_accuracy"]
    assert Counter(figures["model"]) == {"radiomics": 3, "own": 3, "general": 1}
    assert figures.loc[figures["learns"], "patients"].tolist() == [2, 4, 6] * 2
    assert figures.loc[figures["learns"], "repeats"].tolist() == [2, 2, 1] * 2

    def own(context: Context) -> float:
        table = read_scores(context).summary
        (value,) = table.loc[(table["model"] == "own") & (table["metric"] == "balanced_accuracy"), "value"]
        return float(value)

    (model,) = (one for one in drawn.study.models if one.name == "own")
    repeats = [own(at_point(drawn, model, Point(2, repeat, 2.0))) for repeat in (0, 1)]
    found = figures[figures["model"] == "own"]["value"].tolist()
    assert found[0] == pytest.approx(sum(repeats) / 2)
    assert found[2] == pytest.approx(own(drawn))


def test_no_point_is_among_the_studys_models(drawn: Context) -> None:
    assert set(read_scores(drawn).summary["model"]) == {"majority-grade", "radiomics", "own", "general"}
    assert drawn.folder.asked_models == ["general", "majority-grade", "own", "radiomics"]


def test_the_page_says_where_curves_cross(drawn: Context) -> None:
    (balanced, _) = learning_sections(report_contents(drawn))
    assert balanced.sizes == ("2", "4", "6")
    assert any("general" in sentence and "radiomics" in sentence for sentence in balanced.crossings)
    assert len(balanced.laws) == 2  # of three sizes none is fitted, and it says so
    assert "<svg" in balanced.drawing


def test_a_second_run_does_nothing_and_an_interrupted_one_goes_on(
    drawn: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(drawn)
    curve(replace(drawn))
    assert written(drawn) == before

    other = replace(drawn, folder=copied(drawn, tmp_path))
    stop_at(monkeypatch, 3)
    with pytest.raises(OSError, match="stopped"):
        curve(other)
    monkeypatch.undo()
    monkeypatch.setattr(grade, "TREES", 3)
    done = written(other)
    assert any(path.name == "summary.parquet" for path in done)
    curve(other)
    assert {path: time for path, time in written(other).items() if path in done and path.is_file()} == {
        path: time for path, time in done.items() if path.is_file()
    }
    for one, again in zip(vars(read_curve(drawn)).values(), vars(read_curve(other)).values(), strict=True):
        pd.testing.assert_frame_equal(one, again, check_exact=True)


def copied(context: Context, root: Path) -> StudyFolder:
    """The run folder without its curves; prepared patients stay where they are."""
    left = {"curve", "grid"}
    shutil.copytree(context.folder.root, root / "run", ignore=lambda folder, names: left & set(names))
    for path in (root / "run").rglob("*curve*"):
        path.unlink()
    return StudyFolder(root / "run")


def stop_at(monkeypatch: pytest.MonkeyPatch, point: int) -> None:
    reach: Callable[[Context], None] = stage.score
    count = 0

    def stopping(context: Context) -> None:
        nonlocal count
        count += 1
        if count == point:
            raise OSError("stopped")
        reach(context)

    monkeypatch.setattr(stage, "score", stopping)


def test_a_point_in_another_process_has_the_same_figures(drawn: Context, tmp_path: Path) -> None:
    (model,) = (one for one in drawn.study.models if one.name == "own")
    here = at_point(drawn, model, Point(4, 1, 4.0))
    sent = pickle.dumps(at_point(replace(drawn, folder=copied(drawn, tmp_path)), model, Point(4, 1, 4.0)))
    there = pickle.loads(sent)
    assert stage.reach(there) is None
    assert len(sent) < 50_000  # no voxels
    pd.testing.assert_frame_equal(read_scores(here).per_subject, read_scores(there).per_subject, check_exact=True)


def test_a_plan_counts_every_point(drawn: Context) -> None:
    steps = {one.model: one for one in make_plan(drawn).steps if one.stage == "curve"}
    assert set(steps) == {"radiomics", "own"}
    assert steps["radiomics"].questions is not None
    assert steps["radiomics"].questions.value == 2 * 2 * sum(
        drawn.subjects[id].grade is not None for id in drawn.tested
    )


def test_models_that_answer_with_one_that_learns_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        f"{HEAD}models:\n"
        "  - {kind: classical, name: one}\n"
        "  - {kind: classical, name: two, region: crop}\n"
        "  - {kind: ensemble, name: both, of: [one, two]}\n"
        "  - {kind: baseline, name: bright-blob}\n"
        "  - {kind: classical, name: there, region: predicted, by: bright-blob}\n"
    )
    learning, general, left = curve_models(read_study(tmp_path / "study.yaml"))
    assert [one.name for one in learning] == ["one", "two", "there"]
    assert not general
    assert len(left) == 1
    assert "both" in left[0]


@pytest.mark.parametrize("wrong", ["{sizes: []}", "{sizes: [5, 5]}", "{sizes: [0]}", "{sizes: [5], repeats: 0}"])
def test_a_mistake_names_its_line(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"{HEAD}learning_curve: {wrong}\nmodels: [{{kind: classical, name: one}}]\n")
    with pytest.raises(StudyError, match=r"study.yaml:\d+: learning_curve"):
        read_study(path)


def test_where_no_size_is_left_it_says_why(drawn: Context) -> None:
    part = drawn.study.learning_curve
    assert part is not None
    study: Study = drawn.study.model_copy(update={"learning_curve": part.model_copy(update={"sizes": (6, 500)})})
    with pytest.raises(StageError, match=r"no size.*6 patients.*500 patients"):
        curve(replace(drawn, study=study))


def test_the_verb_needs_a_learning_curve_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"{HEAD}models: [{{kind: classical, name: one}}]\n")
    result = CliRunner().invoke(
        app, ["curve", str(path), "--cohort", str(tmp_path), "--out", str(tmp_path.with_name("run"))]
    )
    assert result.exit_code == 2
    assert "learning_curve" in result.output
