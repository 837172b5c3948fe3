"""The same slice again and again in a whole study: what is asked, what it changes, and what is left for the report."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.records.store import RecordStore
from gliobench.study.asking.consistency import sampling
from gliobench.study.asking.questions import asked_slices, repeated_places
from gliobench.study.config.study import ConsistencyConfig, SlicesConfig, StudyError, read_study
from gliobench.study.run import run_stages
from gliobench.study.showing.outlines import outlines, write_figures
from gliobench.study.stages.predict import predict
from gliobench.study.stages.score import read_consistency, score
from gliobench.study.state.context import Context, StageError, make_context

STUDY = """\
name: again
grid: {shape: [24, 32, 32]}
split: {test_share: 0.4, folds: 2, seed: 1}
slices: {every: 3}
tasks: [grade, box, mask]
models:
  - {kind: baseline, name: mean-box}
  - {kind: baseline, name: flair-blob}
  - {kind: vlm, name: untrained, checkpoint: tiny-mllama, tasks: [grade], max_new_tokens: 2, temperature: 2.0}
  - {kind: vlm, name: greedy-untrained, checkpoint: tiny-mllama, tasks: [grade], max_new_tokens: 2}
  - {kind: vlm, name: choice-untrained, checkpoint: tiny-mllama, tasks: [grade], answer: choice, temperature: 2.0}
"""
PART = ConsistencyConfig(repeats=5, subjects=2, task="grade")
TABLES = ("per_subject", "summary", "votes")


def scores(context: Context) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(context.folder.scores / f"{name}.parquet") for name in TABLES}


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path
) -> tuple[Context, dict[str, pd.DataFrame], Counter[str], Context]:
    """A run without consistency, its scores and answers a model, and the same run with it."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "study.yaml").write_text(STUDY)
    study = read_study(folder / "study.yaml")
    plain = make_context(study, cohort=phantom_cohort, out=folder / "run")
    run_to_scores(plain)
    before, answers = scores(plain), count_answers(plain)
    again = replace(plain, study=study.model_copy(update={"consistency": PART}))
    run_stages(again)
    return plain, before, answers, again


def count_answers(context: Context) -> Counter[str]:
    names = [config.name for config in context.study.models]
    return Counter({name: sum(1 for _ in RecordStore(context.folder.answers(name)).read()) for name in names})


def test_only_the_repeats_are_asked_and_only_of_who_samples(runs) -> None:  # type: ignore[no-untyped-def]
    _, _, before, again = runs
    assert count_answers(again) - before == {"untrained": 2 * (5 - 1)}
    records = [record for record in RecordStore(again.folder.answers("untrained")).read() if record.repeat]
    assert sorted(record.repeat for record in records) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert {(record.subject, record.index) for record in records} == set(repeated_places(again, PART).items())


def test_no_other_figure_changes(runs) -> None:  # type: ignore[no-untyped-def]
    _, before, _, again = runs
    for name, table in scores(again).items():
        pd.testing.assert_frame_equal(table, before[name])


def test_the_tables_hold_every_answer_the_ordinary_one_too(runs) -> None:  # type: ignore[no-untyped-def]
    plain, _, _, again = runs
    found = read_consistency(again)
    assert read_consistency(plain) is None
    assert found is not None
    assert found.answers.groupby(["model", "subject"])["count"].sum().to_dict() == {
        (model, subject): count
        for model, count in (("untrained", 5), ("greedy-untrained", 1), ("choice-untrained", 1))
        for subject in repeated_places(again, PART)
    }
    assert sampling(again)["choice-untrained"] == "the most probable choice"
    own = found.figures[(found.figures["model"] == "greedy-untrained") & (found.figures["metric"] == "flip_rate")]
    assert own["value"].tolist() == [0, 0, 0]
    page = (again.folder.report / "report.html").read_text()
    assert "temperature 2, top_p 1, min_p 0, seed 0" in page


def test_a_lost_list_of_repeats_is_made_again_without_asking(runs) -> None:  # type: ignore[no-untyped-def]
    *_, again = runs
    path, before = again.folder.repeated("untrained"), count_answers(again)
    content = path.read_text()
    path.unlink()
    with pytest.raises(StageError, match=r"untrained.*`gliobench predict`"):
        score(again)
    predict(again, ["untrained"])
    assert path.read_text() == content
    assert count_answers(again) == before


def test_one_patient_of_each_grade_with_the_slice_of_most_tumour(runs) -> None:  # type: ignore[no-untyped-def]
    *_, again = runs
    places = repeated_places(again, PART)
    assert {again.subjects[id].grade for id in places} == {0, 1}
    for id, index in places.items():
        areas = np.count_nonzero(again.subjects[id].tumour, axis=(1, 2))
        assert areas[index] == max(areas[asked] for asked in asked_slices(again, "axial")[id])


def test_without_an_oracle_the_truth_chooses_nothing(runs) -> None:  # type: ignore[no-untyped-def]
    *_, again = runs
    study = again.study.model_copy(update={"slices": SlicesConfig(select="brain", every=3)})
    blind = replace(again, study=study)
    asked = asked_slices(blind, "axial")
    assert repeated_places(blind, PART) == {
        id: asked[id][len(asked[id]) // 2] for id in repeated_places(blind, PART)
    }, "the middle slice of those asked about"


def test_a_repeated_task_must_be_one_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY + "consistency: {task: centre}\n")
    with pytest.raises(StudyError, match=r"consistency\.task: centre .*grade, box, mask"):
        read_study(tmp_path / "study.yaml")


def test_outlines_hold_truth_and_answer_of_the_same_slices(runs) -> None:  # type: ignore[no-untyped-def]
    """No language model gives a place here, so the baselines are drawn: boxes slice by slice, a mask as a whole."""
    *_, again = runs
    id = again.tested[0]
    boxes, blob = outlines(again, [id])
    asked = asked_slices(again, "axial")[id]
    assert (boxes.model, boxes.task, boxes.per_slice, boxes.n_asked) == ("mean-box", "box", True, len(asked))
    assert [value.frame.index for value in boxes.answer] == asked
    for mask in (*boxes.truth, *blob.truth):
        assert np.array_equal(mask.pixels, again.subjects[id].tumour[mask.frame.index])
    assert (blob.model, blob.task, blob.per_slice) == ("flair-blob", "mask", False)
    areas = np.count_nonzero(again.subjects[id].tumour, axis=(1, 2))
    assert {mask.frame.index for mask in blob.truth} <= set(np.flatnonzero(areas).tolist())


def test_the_verb_writes_a_picture_a_model(runs, phantom_cohort: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    *_, again = runs
    id = again.tested[1]
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    options = ["--cohort", str(phantom_cohort), "--out", str(again.folder.root), "--to", str(tmp_path / "figures")]
    done = CliRunner().invoke(app, ["outlines", str(study), *options, "--subject", id, "--model", "flair-blob"])
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "figures").iterdir()] == [f"{id}-flair-blob.png"]


def test_who_cannot_be_drawn_is_told_who_can(runs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    *_, again = runs
    learnt = again.folds[0].train[0]
    with pytest.raises(StageError, match=f"{learnt}: no centre.*test patients are {again.tested[0]}"):
        write_figures(again, learnt, None, tmp_path)
    with pytest.raises(StageError, match="no model is named nobody; the study has mean-box"):
        write_figures(again, again.tested[0], ["nobody"], tmp_path)
    assert list(tmp_path.iterdir()) == []
