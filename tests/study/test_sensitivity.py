"""Language models asked in other words and shown other views: what is asked, what it leaves, and that it resumes."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.grid.regions import regions_of
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.plan.make import make_plan
from gliobench.study.run import run_stages
from gliobench.study.stages.score import read_scores
from gliobench.study.stages.sensitivity import read_sensitivity, sensitivity
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.lacking import lacking
from gliobench.study.state.variants import variants_of, varied_models
from gliobench.tasks.prompt_file import packaged_prompts, read_prompt_file
from gliobench.tasks.registry import TASKS

HEAD = """\
name: sensitivity
grid: {shape: [16, 24, 24]}
split: {test_share: 0.5, folds: 2, fold: 0, seed: 1}
slices: {every: 8}
tasks: [grade, box]
"""
TINY = (
    "  - {kind: vlm, name: %s-untrained, checkpoint: tiny-mllama, tasks: [grade, box], answer: {grade: choice, box: "
    "constrained}%s}\n"
)
BASELINE = "  - {kind: baseline, name: mean-box}\n"
VARIED = "sensitivity: {prompts: [terse, mine.yaml], views: [rgb, {name: rgb, scale: 2}]}\n"
MINE = """\
grade: {text: "A brain scan: {classes}? Choice: N"}
box: {text: "Box of {region} in {rows} x {columns} pixels: (row_min, col_min, row_max, col_max)"}
"""


def context_of(folder: Path, cohort: Path, text: str) -> Context:
    folder.mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(text)
    (folder / "mine.yaml").write_text(MINE)
    return make_context(read_study(folder / "s.yaml"), cohort=cohort, out=folder / "run", workers=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    """A study of two models and four variants, from its patients to its report."""
    text = f"{HEAD}{VARIED}models:\n{BASELINE}{TINY % ('a', '')}{TINY % ('b', ', prompts: expert')}"
    context = context_of(tmp_path_factory.mktemp("sensitivity"), phantom_cohort, text)
    run_stages(context)
    return context


def test_every_language_model_is_asked_with_every_variant(done: Context) -> None:
    assert [str(one) for one in variants_of(done.study)] == ["prompts-terse", "prompts-mine", "view-rgb", "view-rgb 2"]
    assert [one.name for one in varied_models(done.study)[0]] == ["a-untrained", "b-untrained"]
    tables = read_sensitivity(done)
    assert tables is not None
    own = tables.values.query("task == 'box' and model == 'a-untrained'")
    assert list(own.query("varied == 'prompts'")["variant"]) == ["own", "terse", "mine"]
    assert list(own.query("varied == 'view'")["variant"]) == ["own", "rgb", "rgb 2"]
    assert "Does the wording matter?" in (done.folder.report / "report.html").read_text()


def test_a_variant_is_the_study_with_those_prompts(done: Context, tmp_path: Path, phantom_cohort: Path) -> None:
    alone = context_of(tmp_path, phantom_cohort, f"{HEAD}models:\n{BASELINE}{TINY % ('a', ', prompts: mine.yaml')}")
    run_stages(alone)
    own = read_scores(alone).per_subject.query("model == 'a-untrained'").reset_index(drop=True)
    folder = type(done.folder)(done.folder.sensitivity("a-untrained") / "prompts-mine")
    varied = read_scores(replace(done, folder=folder)).per_subject.reset_index(drop=True)
    pd.testing.assert_frame_equal(varied, own, check_exact=True)


def test_ranks_and_medians_by_hand(done: Context) -> None:
    tables = read_sensitivity(done)
    assert tables is not None
    for _, row in tables.figures.iterrows():
        same = [tables.values[column] == row[column] for column in ("task", "metric", "model", "plane", "varied")]
        values = tables.values[pd.concat(same, axis=1).all(axis=1)]["value"]
        assert row["median"] == pytest.approx(values.median())
        assert row["value"] == pytest.approx(values.mean())
        assert row["variants"] == len(values)
    for _, group in tables.values.groupby(["task", "metric", "plane", "varied", "variant"]):
        assert (group["models"] == len(group)).all()
        for _, one in group.iterrows():
            assert one["rank"] == 1 + (group["value"] > one["value"]).sum(), "of figures that are better higher"


def test_a_second_run_asks_nothing(done: Context) -> None:
    def times() -> dict[Path, int]:
        folder = done.folder.root / "sensitivity"
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    before = times()
    sensitivity(replace(done))
    assert times() == before


def test_a_plan_counts_every_variant(done: Context) -> None:
    steps = {one.model: one for one in make_plan(done).steps if one.stage == "sensitivity"}
    assert set(steps) == {"a-untrained", "b-untrained"}
    own = next(one for one in make_plan(done).steps if one.stage == "predict" and one.model == "a-untrained")
    asked, once = steps["a-untrained"].questions, own.questions
    assert asked is not None
    assert once is not None
    assert asked.value == 4 * once.value


def test_what_cannot_be_asked_is_said_before_any_work(tmp_path: Path, phantom_cohort: Path) -> None:
    tuned = "  - {kind: vlm, name: tuned, checkpoint: tiny-mllama, tasks: [box], finetune: {steps: 1}}\n"
    context = context_of(tmp_path, phantom_cohort, f"{HEAD}sensitivity: {{prompts: [terse]}}\nmodels:\n{tuned}")
    with pytest.raises(StageError, match="no model here is asked in words that could vary"):
        sensitivity(context)
    text = f"{HEAD}sensitivity: {{prompts: [reference-study-finetuned]}}\nmodels:\n{TINY % ('a', '')}"
    (fault,) = lacking(context_of(tmp_path, phantom_cohort, text).study, phantom_cohort)
    assert "no prompt under the key 'box'" in fault.problem
    assert fault.place.endswith("s.yaml:6: sensitivity")
    (tmp_path / "s.yaml").write_text(f"{HEAD}sensitivity: {{}}\nmodels:\n{BASELINE}")
    with pytest.raises(StudyError, match="name `prompts`"):
        read_study(tmp_path / "s.yaml")


@pytest.mark.parametrize("problem", [GLIOMA, NODULES], ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["terse", "expert", "form"])
@pytest.mark.parametrize("task", ["grade", "centre", "box", "polygon", "mask"])
def test_paraphrases_ask_for_the_same_format_in_the_problems_words(name: str, task: str, problem: object) -> None:
    """The line that shows the format is that of the project's own prompt, and so is the word for nothing there."""
    assert isinstance(problem, type(GLIOMA))
    region = regions_of(problem)["whole"]
    prompt, own = read_prompt_file(packaged_prompts()[name], task), TASKS[task].prompt
    said = prompt.of(region, problem).text
    format_line = next(line for line in own.text.splitlines() if line.startswith(("Choice:", "(", "row:")))
    assert format_line in said.splitlines()
    assert prompt.max_new_tokens == own.max_new_tokens
    assert problem.scan in said
    assert "{" not in said.replace("{rows}", "").replace("{columns}", "")
    if task == "grade":
        assert all(problem.words_of_class(number) in said for number in range(problem.none + 1))
    else:
        assert region.words in said
        assert "none" in said
        assert "whole pixels" in said
        assert {"{rows}", "{columns}"} <= {word for word in ("{rows}", "{columns}") if word in prompt.text}
