"""Further seeds of a study's models: what they are, what they leave, and that they resume."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gliobench.study.config.study import StudyError, read_study
from gliobench.study.plan.make import make_plan
from gliobench.study.run import run_stages
from gliobench.study.stages.score import read_scores
from gliobench.study.stages.seeds import read_seeds, seeds
from gliobench.study.state.context import Context, StageError, make_context
from gliobench.study.state.seeds import seeded_models

HEAD = """\
name: seeds
grid: {shape: [16, 24, 24]}
split: {test_share: 0.5, folds: 2, fold: 0, seed: 1}
slices: {every: 8}
tasks: [grade, mask]
"""
BLOB = "  - {kind: baseline, name: flair-blob}\n"
NETWORK = "  - {kind: network, name: segmenter, network: mask-segmenter, train: {epochs: 2, seed: %d}}\n"
DRAWN = (
    "  - {kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade], temperature: 1.0, max_new_tokens: 8, "
    "seed: 5}\n"
)
RADIOMICS = "  - {kind: classical, name: radiomics, region: brain}\n"
GREEDY = "  - {kind: vlm, name: greedy-untrained, checkpoint: tiny-mllama, tasks: [grade], max_new_tokens: 8}\n"


def context_of(folder: Path, cohort: Path, text: str) -> Context:
    folder.mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(text)
    return make_context(read_study(folder / "s.yaml"), cohort=cohort, out=folder / "run", workers=1)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    """A study with three seeds, from its patients to its report."""
    text = f"{HEAD}seeds: 3\nmodels:\n{BLOB}{NETWORK % 4}{RADIOMICS}{DRAWN}{GREEDY}"
    context = context_of(tmp_path_factory.mktemp("seeds"), phantom_cohort, text)
    run_stages(context)
    return context


def test_every_model_that_draws_has_its_seeds_and_no_other(done: Context) -> None:
    models, left = seeded_models(done.study)
    assert [one.name for one in models] == ["segmenter", "radiomics", "untrained"]
    assert left == ["seeds, without greedy-untrained: no seed that can be set changes what they answer"]
    tables = read_seeds(done)
    assert tables is not None
    assert set(tables.figures["model"]) == {"segmenter", "radiomics", "untrained"}
    assert set(tables.figures["seeds"]) == {3}
    page = (done.folder.report / "report.html").read_text()
    assert "Does the seed matter?" in page
    assert "Seeds, without greedy-untrained: no seed that can be set changes what they answer." in page
    assert (done.folder.report / "seeds.csv").exists()


def test_a_further_seed_is_the_study_with_that_seed(done: Context, tmp_path: Path, phantom_cohort: Path) -> None:
    alone = context_of(tmp_path, phantom_cohort, f"{HEAD}models:\n{BLOB}{NETWORK % 6}")
    run_stages(alone)
    own = read_scores(alone).per_subject.query("model == 'segmenter'").reset_index(drop=True)
    seeded = replace(done, folder=type(done.folder)(done.folder.seeds("segmenter") / "2"))
    pd.testing.assert_frame_equal(read_scores(seeded).per_subject.reset_index(drop=True), own, check_exact=True)


def test_the_mean_over_seeds_and_the_difference(done: Context) -> None:
    tables = read_seeds(done)
    assert tables is not None

    def dice(folder: Path, model: str) -> float:
        table = pd.read_parquet(folder / "scores" / "summary.parquet")
        found = table[(table["model"] == model) & (table["task"] == "mask") & (table["metric"] == "dice")]
        return float(found["value"].iloc[0])

    root = done.folder.root
    each = [dice(root, "segmenter"), *(dice(root / "seeds" / "segmenter" / number, "segmenter") for number in "12")]
    (row,) = tables.figures.query("metric == 'dice'").to_dict("records")
    assert row["value"] == pytest.approx(sum(each) / 3)
    assert (row["smallest"], row["largest"]) == pytest.approx((min(each), max(each)))
    assert row["low"] <= row["value"] <= row["high"]
    (found,) = tables.differences.query("task == 'mask'").to_dict("records")
    assert (found["model_a"], found["model_b"], found["seeds"]) == ("segmenter", "flair-blob", 3)
    assert found["difference"] == pytest.approx(sum(each) / 3 - dice(root, "flair-blob"))


def test_a_second_run_does_nothing(done: Context) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (done.folder.root / "seeds").rglob("*") if path.is_file()}

    before = times()
    seeds(replace(done))
    assert times() == before


def test_seeds_side_by_side_and_killed_between_two_leave_the_same(done: Context, tmp_path: Path) -> None:
    """One seed is lost, as after a kill, another half done: the rest stays, and the tables are the same."""
    again = replace(done, folder=type(done.folder)(tmp_path / "run"), workers=2)
    shutil.copytree(done.folder.root, again.folder.root)
    kept, lost = (again.folder.seeds("segmenter") / number for number in "12")
    shutil.rmtree(lost)
    (again.folder.seeds("radiomics") / "1" / "stamps" / "score.json").unlink()
    (again.folder.scores / "seeds.parquet").unlink()
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()}
    assert before
    seeds(again)
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()} == before
    assert (lost / "stamps" / "score.json").exists()
    expected, found = read_seeds(done), read_seeds(again)
    assert expected is not None
    assert found is not None
    for name, table in vars(expected).items():
        pd.testing.assert_frame_equal(vars(found)[name], table, check_exact=True)


def test_a_plan_counts_the_further_seeds(done: Context) -> None:
    steps = {one.model: one for one in make_plan(done).steps if one.stage == "seeds"}
    assert set(steps) == {"segmenter", "radiomics", "untrained"}


def test_seeds_that_change_nothing_are_refused(tmp_path: Path, phantom_cohort: Path) -> None:
    context = context_of(tmp_path, phantom_cohort, f"{HEAD}seeds: 2\nmodels:\n{BLOB}")
    with pytest.raises(StageError, match="no model here draws anything that a seed would change"):
        seeds(context)
    (tmp_path / "s.yaml").write_text(f"{HEAD}seeds: 1\nmodels:\n{BLOB}")
    with pytest.raises(StudyError, match="seeds"):
        read_study(tmp_path / "s.yaml")
