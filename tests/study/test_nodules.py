"""A study of another problem than gliomas, from phantoms to scores."""

from dataclasses import replace

import pandas as pd
import pytest

from gliobench.cohort.phantom.nodules import write_nodules
from gliobench.study.config.study import read_study
from gliobench.study.stages.predict import predict
from gliobench.study.stages.prepare import prepare
from gliobench.study.stages.score import read_scores, score, scores_inputs
from gliobench.study.stages.split import split
from gliobench.study.state.context import Context, make_context

STUDY = """\
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
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 3}
tasks: [grade, mask]
models:
  - {kind: baseline, name: majority-grade}
  - {kind: baseline, name: bright-blob}
  - {kind: classical, name: radiomics, region: truth}
"""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("nodules")
    write_nodules(folder / "patients", subjects=18, seed=0)
    (folder / "study.yaml").write_text(STUDY)
    context = make_context(read_study(folder / "study.yaml"), cohort=folder / "patients", out=folder / "run")
    for stage in (prepare, split, predict, score):
        stage(context)
    return context


@pytest.fixture
def summary(scored: Context) -> pd.DataFrame:
    return read_scores(scored).summary


def value(summary: pd.DataFrame, model: str, task: str, metric: str) -> float:
    rows = (summary["model"] == model) & (summary["task"] == task) & (summary["metric"] == metric)
    (found,) = summary.loc[rows, "value"]
    return float(found)


def test_size_and_density_tell_the_classes_apart_and_a_constant_does_not(summary: pd.DataFrame) -> None:
    assert value(summary, "majority-grade", "grade", "balanced_accuracy") == 0.5
    assert value(summary, "radiomics", "grade", "balanced_accuracy") > 0.8


def test_a_nodule_is_bright_in_lung(summary: pd.DataFrame) -> None:
    assert value(summary, "bright-blob", "mask", "dice") > 0.3


@pytest.mark.parametrize("keys", [{"ordered": True}, {"positive": "benign"}, {"finding": "lesion"}])
def test_a_finished_run_is_scored_again_where_the_problem_changes_what_a_figure_means(
    scored: Context, keys: dict[str, object]
) -> None:
    problem = replace(scored.study.problem, **keys)  # type: ignore[arg-type]
    changed = replace(scored, study=scored.study.model_copy(update={"problem": problem}))
    assert scores_inputs(changed) != scores_inputs(scored)
