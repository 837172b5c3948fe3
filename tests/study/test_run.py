"""The whole way on phantom patients: what comes out is complete, believable, and not done twice."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.records.value import Arrays
from gliobench.study.asking.answers import current_answers
from gliobench.study.config.study import SlicesConfig, read_study
from gliobench.study.run import run_stages
from gliobench.study.showing.report import _strata
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import StageError, make_context


class Notebook:
    """A voice that remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, title: str, total: int):  # type: ignore[no-untyped-def]
        from gliobench.study.state.progress import Silent

        return Silent().bar(title, total)


def summary(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "scores" / "summary.parquet")


def test_every_model_stands_in_the_table_of_every_task_it_answers(finished_run: Path) -> None:
    table = summary(finished_run)
    by_task = {task: set(rows["model"]) for task, rows in table.groupby("task")}
    assert by_task["grade"] == {"majority-grade", "radiomics", "classifier", "tiny-mllama-untrained"}
    assert by_task["centre"] == {
        *("image-centre", "mean-box", "flair-blob", "empty", "segmenter", "tiny-mllama-untrained")
    }
    assert by_task["mask"] >= {"flair-blob", "empty", "segmenter"}
    assert {"segmenter", "flair-blob", "empty", "mean-box"} <= by_task["box"]


def test_why_a_figure_is_not_defined_stands_in_the_report(finished_run: Path) -> None:
    reasons = summary(finished_run).query("value.isna()")["reason"]
    assert len(reasons)
    page, plain = ((finished_run / "report" / name).read_text() for name in ("report.html", "report.md"))
    for reason in reasons:
        assert f'not defined</span><span class="why">{reason}<' in page
        assert f"not defined: {reason}," in plain


def test_coverage_is_stated_and_failures_count(finished_run: Path) -> None:
    table = summary(finished_run)
    untrained = table[(table["model"] == "tiny-mllama-untrained") & (table["n_asked"] > 0)]
    assert (untrained["n_answered"] <= untrained["n_asked"]).all()
    assert (untrained["coverage"] == untrained["n_answered"] / untrained["n_asked"]).all()
    dice = table[(table["model"] == "empty") & (table["task"] == "mask") & (table["metric"] == "dice")]
    assert dice["value"].tolist() == [0.0]
    accuracy = table[(table["model"] == "tiny-mllama-untrained") & (table["metric"] == "accuracy")]
    assert len(accuracy) == 1
    assert 0 <= accuracy["value"].item() <= 1


def test_a_model_asked_for_boxes_and_outlines_stands_once_a_patient_among_the_hard_ones(
    finished_run: Path, phantom_cohort: Path, small_study: Path
) -> None:
    context = make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run)
    hard, _ = _strata(context, read_scores(context))
    assert hard is not None
    everybody = hard[hard["group"] == "all"].set_index("model")["n"]
    assert {"tiny-mllama-untrained", "segmenter", "mean-box"} <= set(everybody.index)
    assert set(everybody) == {len(context.tested)}


def test_the_segmenter_beats_the_empty_mask_on_patients_it_never_saw(finished_run: Path) -> None:
    table = summary(finished_run)
    dice = table[(table["task"] == "mask") & (table["metric"] == "dice") & (table["source"] == "mask")]
    values = dice.set_index("model")["value"]
    assert values["segmenter"] > 0.2
    split = json.loads((finished_run / "split.json").read_text())
    assert not set(split["test"]) & {subject for fold in split["folds"] for subject in fold}


def test_a_second_run_does_nothing_and_says_so(finished_run: Path, phantom_cohort: Path, small_study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*") if path.is_file()}
    notebook = Notebook()
    run_stages(make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run, voice=notebook))
    stages = [line.split(":")[0] for line in notebook.lines if "skipped, its inputs have not changed" in line]
    assert {"prepare", "split", "train-classifier-fold-0", "predict-empty", "score", "report"} <= set(stages)
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*") if path.is_file()} == before


def test_the_report_is_one_page_that_needs_nothing_else(finished_run: Path) -> None:
    page = (finished_run / "report" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    for model in ("majority-grade", "segmenter", "tiny-mllama-untrained"):
        assert model in page
    assert "not a medical device" in page


def test_the_cohort_without_grades_and_masks_is_told_what_cannot_be_asked(
    tmp_path: Path, phantom_cohort: Path, small_study: Path
) -> None:
    bare = tmp_path / "bare"
    for folder in sorted(path for path in phantom_cohort.iterdir() if path.is_dir())[:4]:
        (bare / folder.name).mkdir(parents=True)
        for image in folder.glob("*.nii.gz"):
            if "seg" not in image.name:
                (bare / folder.name / image.name).symlink_to(image)
    notebook = Notebook()
    context = make_context(read_study(small_study), cohort=bare, out=tmp_path / "out", voice=notebook)
    baseline = context.study.models[4]
    study = context.study.model_copy(update={"models": (baseline,)})
    with pytest.raises(StageError, match="no test patient has a truth for any task"):
        run_stages(replace(context, study=study))
    said = "\n".join(notebook.lines)
    assert "mask: 2 of 2 test patients have not a mask and are not asked" in said
    assert "grade: 2 of 2 test patients have not a grade (LGG or HGG) and are not asked" in said


@pytest.mark.parametrize(
    "verb", ["doctor", "phantom", "prepare", "split", "train", "predict", "score", "report", "run"]
)
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


def test_slices_can_be_chosen_by_another_models_masks(
    tmp_path: Path, phantom_cohort: Path, finished_run: Path, small_study: Path
) -> None:
    study = read_study(small_study)
    slices = SlicesConfig(select="predicted", by="flair-blob", every=5)
    study = study.model_copy(update={"models": (study.models[1], study.models[3]), "slices": slices})
    context = make_context(study, cohort=phantom_cohort, out=tmp_path, store=finished_run / "grid")
    run_stages(context)
    arrays = Arrays(context.folder.masks)
    found = {
        record.subject: arrays.load(record.key, context.subjects[record.subject].shape)
        for record in current_answers(context, "flair-blob")
    }
    records = current_answers(context, "image-centre")
    assert records
    for record in records:
        assert record.oracle == (), "no truth was used"
        assert found[record.subject][record.index].any()


def test_compare_pairs_the_models_of_a_run(finished_run: Path, tmp_path: Path) -> None:
    table = tmp_path / "compared.csv"
    arguments = ["compare", str(finished_run), "--reference", "empty", "--metric", "dice", "--csv", str(table)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    compared = pd.read_csv(table)
    assert set(compared["metric"]) == {"dice"}
    assert set(compared["model_b"]) == {"empty"}
    segmenter = compared[(compared["model_a"] == "segmenter") & (compared["task"] == "mask")]
    assert segmenter["difference"].tolist() == pytest.approx(segmenter["value_a"].tolist()), "an empty mask has Dice 0"


def test_who_is_shown_the_true_tumour_is_marked_in_the_records_and_in_the_report(finished_run: Path) -> None:
    records = [json.loads(line) for line in (finished_run / "answers" / "radiomics.jsonl").read_text().splitlines()]
    assert [record["oracle"] for record in records] == [["region"]] * 4
    assert all(0 <= record["score"] <= 1 for record in records)
    markdown = (finished_run / "report" / "report.md").read_text()
    assert "radiomics (oracle)" in markdown
    assert "radiomics looks where the true tumour is" in markdown


def test_the_network_is_compared_with_the_classical_baseline_and_both_with_the_trivial_one(finished_run: Path) -> None:
    compared = pd.read_csv(finished_run / "report" / "comparisons.csv")
    pairs = set(map(tuple, compared.loc[compared["task"] == "grade", ["model_a", "model_b"]].to_numpy()))
    assert pairs == {("radiomics", "majority-grade"), ("classifier", "majority-grade"), ("classifier", "radiomics")}


def test_a_stage_alone_names_the_one_before(tmp_path: Path, phantom_cohort: Path, small_study: Path) -> None:
    from gliobench.study.stages.split import split

    with pytest.raises(StageError, match="run `gliobench prepare` first"):
        split(make_context(read_study(small_study), cohort=phantom_cohort, out=tmp_path))
