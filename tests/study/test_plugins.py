"""Strangers bring their own: what a package may not bring, and a class in a file of twenty lines."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import source_digest
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.external.python_class import load_own
from gliobench.plugins import PluginError, Registry, plugins
from gliobench.scoring import registry
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area
from gliobench.study.catalogue import catalogue
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.kinds.network import TrainConfig
from gliobench.study.kinds.vlm import FinetuneConfig, LanguageModelConfig
from gliobench.study.run import run_stages
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores, score
from gliobench.study.stages.split import split
from gliobench.study.state.context import make_context
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.base import Task
from gliobench.tasks.box import BoxTask
from gliobench.tasks.geometry import Grade
from gliobench.tasks.registry import made_task

ROOT = Path(__file__).parents[2]
PLUGIN, README, GUIDE = ROOT / "tests" / "plugin", ROOT / "README.md", ROOT / "docs" / "extending.md"
HEAD = """\
name: own
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 8}
"""


def test_the_code_of_the_guide_is_the_packages() -> None:
    package = "\n".join(path.read_text() for path in PLUGIN.glob("*.*"))
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", GUIDE.read_text(), re.S)
    named = set(re.findall(r"gliobench\.(\w+)\"\]", "".join(blocks)))
    assert named == {"kinds", "tasks", "metrics", "baselines", "layouts", "networks", "views"}
    assert [block for block in blocks if block not in package] == []


def test_a_package_cannot_take_a_name_that_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gliobench.plugins.plugins", lambda group: {"one": int})
    with pytest.raises(ImportError, match="one is built in: give it another name"):
        len(Registry[int]("numbers", {"one": 1}))


def test_a_task_has_the_name_of_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gliobench.plugins.plugins", lambda group: {"rectangle": BoxTask})
    with pytest.raises(PluginError, match=r"rectangle .* box"):
        len(Registry[Task]("tasks", {}, made_task))


def test_what_is_experimental_is_an_option_of_a_study_file() -> None:
    options = {*LanguageModelConfig.model_fields, *FinetuneConfig.model_fields, *TrainConfig.model_fields}
    found = [entry.name.partition(":")[0] for entry in catalogue("experimental")]
    assert {"quantisation", "engine", "devices"} <= set(found) <= options


def test_a_metric_of_a_package_equals_monais() -> None:
    """The surface Dice of the package, on two areas of unequal spacing."""
    from monai.metrics import compute_surface_dice

    namespace = runpy.run_path(str(PLUGIN / "gliobench_test_plugin.py"))
    random = np.random.default_rng(0)
    answer, truth = (ndimage.gaussian_filter(random.random((40, 50)), 3) > 0.5 for _ in range(2))
    found = namespace["NSD"].value(Compared(Area(answer), Area(truth), (1.5, 0.8)))
    pair = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (answer, truth)]
    expected = compute_surface_dice(*pair, class_thresholds=[2.0], include_background=True, spacing=(1.5, 0.8))
    assert found == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "metric", "message"),
    [
        ("dice", registry.named("dice"), "is built in"),
        ("nsd", registry.named("dice"), "expected .* of the id nsd"),
        ("nsd", len, "expected an AnswerMetric or a GradeMetric"),
    ],
)
def test_what_is_no_new_metric_is_refused_by_name(
    name: str, metric: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gliobench.plugins.plugins", lambda group: {name: metric})
    with pytest.raises(PluginError, match=f"{name} .*{message}"):
        len(Registry("metrics", registry.OF_BUILT_IN, registry.made_metric))


METRIC = """
from gliobench.scoring.metric import AnswerMetric
size = AnswerMetric("size", "size", "px", "lower", "area", lambda areas: {number}, 9.0, 9.0, 9.0)
"""


def forget_packages() -> None:
    """What is installed is looked up again."""
    for cached in (plugins, source_digest):
        cached.cache_clear()
    vars(registry.BY_ID).pop("_every", None)


def test_a_finished_run_is_scored_again_where_a_metric_is_new_or_changed(
    phantom_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, site = tmp_path / "study.yaml", tmp_path / "site"
    study.write_text(HEAD + "tasks: [mask]\nmodels:\n  - {kind: baseline, name: flair-blob}\n")
    context = make_context(read_study(study), cohort=phantom_cohort, out=tmp_path / "run")

    def values(number: str | None) -> set[float]:
        """The metric's values after a run with the package, whose metric gives a number; without it where None."""
        if number is not None:
            (site / "size.dist-info").mkdir(parents=True, exist_ok=True)
            (site / "size.dist-info" / "METADATA").write_text("Name: size\nVersion: 1\n")
            (site / "size.dist-info" / "entry_points.txt").write_text("[gliobench.metrics]\nsize = size_metric:size\n")
            (site / "size_metric.py").write_text(METRIC.format(number=number))
        forget_packages()
        sys.modules.pop("size_metric", None)
        for stage in (prepare, split, predict, score):
            stage(context)
        table = read_scores(context).per_subject
        return set(table.loc[table["metric"] == "size", "value"])

    try:
        assert values(None) == set()
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        assert values("2.5") == {2.5}
        assert values("3.75") == {3.75}
    finally:
        monkeypatch.undo()
        forget_packages()


def test_the_readmes_model_runs(phantom_cohort: Path, tmp_path: Path) -> None:
    """The class that the README shows, to the letter, in a study beside the majority."""
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "class Mine" in block)
    (tmp_path / "mine.py").write_text(code)
    study = tmp_path / "study.yaml"
    study.write_text(
        HEAD + "tasks: [grade]\nmodels:\n  - {kind: baseline, name: majority-grade}\n"
        "  - {kind: python, name: mine, model: mine.py:Mine}\n"
    )
    context = make_context(read_study(study), cohort=phantom_cohort, out=tmp_path / "run")
    run_stages(context)
    summary = read_scores(context).summary
    own = summary[(summary["model"] == "mine") & (summary["task"] == "grade")]
    assert own["n_asked"].max() == len(context.tested)
    assert not own[own["metric"] == "auc"]["value"].isna().any()
    assert "mine.py:Mine, a class of the user's own" in (context.folder.report / "report.md").read_text()


def question(task: str) -> Question:
    image, labels = np.zeros((4, 4, 6, 8), np.uint8), np.ones((4, 6, 8), np.uint8)
    subject = PreparedSubject("P1", 1, image, labels, np.eye(4), np.eye(4), (4, 6, 8), False, "c")
    return Question(subject, task, None if task in ("grade", "mask") else subject.frame("axial", 1))


def own(tmp_path: Path, body: str, tasks: str = "['grade']", more: str = "") -> str:
    path = tmp_path / "model.py"
    path.write_text(f"class M:\n    tasks = {tasks}\n    {more}\n    def predict(self, questions):\n        {body}\n")
    return f"{path}:M"


def test_the_truth_is_not_shown_and_values_become_answers(tmp_path: Path) -> None:
    body = "for q in questions: yield float(q.subject.grade is None and q.subject.labels is None)"
    (found,) = load_own("m", own(tmp_path, body)).predict([question("grade")])
    assert (found.answer, found.score) == (Answered(Grade(1)), 1.0)
    (wrong,) = load_own("m", own(tmp_path, "yield 7")).predict([question("grade")])
    assert isinstance(wrong.answer, Malformed)
    source = own(tmp_path, "yield (9, 1)", "['centre']", "per_slice = True")
    (outside,) = load_own("m", source).predict([question("centre")])
    assert isinstance(outside.answer, Malformed)


@pytest.mark.parametrize(
    ("task", "value", "reason"),
    [
        ("centre", "[[1], [2]]", r"an array of shape \(2, 1\)"),
        ("box", "(1, 2, 3)", r"an array of shape \(3,\)"),
        ("box", "(3, 2, 1, 4)", "a smallest edge is larger than the largest"),
        ("polygon", "[(1, 2), (3, 4)]", "expected 3 points or more, found 2"),
        ("centre", "(float('nan'), 1)", "finite"),
        ("mask", "[[1, 0]]", r"expected a mask of shape \(6, 8\), found \(1, 2\)"),
    ],
)
def test_a_value_of_another_form_is_malformed(tmp_path: Path, task: str, value: str, reason: str) -> None:
    asked = question("centre")
    source = own(tmp_path, f"yield {value}", f"['{task}']", "per_slice = True")
    (wrong,) = load_own("m", source).predict([Question(asked.subject, task, asked.frame)])
    assert isinstance(wrong.answer, Malformed)
    assert re.search(reason, wrong.answer.reason)


@pytest.mark.parametrize(
    ("body", "tasks", "message"),
    [
        ("raise KeyError('x')", "['grade']", r"predict raised KeyError: 'x' \(.*model.py:5\)"),
        ("yield from ()", "['grade']", "predict gave 0 answers to 1 questions"),
    ],
)
def test_what_the_class_does_wrong_names_its_line(tmp_path: Path, body: str, tasks: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        list(load_own("m", own(tmp_path, body, tasks)).predict([question("grade")]))


def test_a_class_that_cannot_be_had_is_said_before_any_work(phantom_cohort: Path, tmp_path: Path) -> None:
    own(tmp_path, "yield 0", "['centre']")
    study = tmp_path / "study.yaml"
    for model, message in [
        ("nowhere.py:M", "nowhere.py"),
        ("model.py:N", "has no class N"),
        ("model.py:M", "expected some of grade, mask"),
        ("no_such_module_at_all:M", "cannot be imported"),
    ]:
        study.write_text(HEAD + f"tasks: [grade]\nmodels:\n  - {{kind: python, name: m, model: {model!r}}}\n")
        context = make_context(read_study(study), cohort=phantom_cohort, out=tmp_path / "run")
        with pytest.raises(StudyError, match=f"study.yaml:7: models.0.model: .*{message}"):
            run_stages(context)
        assert not context.folder.prepared.exists()
