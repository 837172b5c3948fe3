"""What was said about one patient: from a run's records, and from answers that somebody holds."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.report.contents import Sample
from gliobench.scoring.votes import Votes
from gliobench.study.config.replay import read_replication
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.replication.samples import external_sample
from gliobench.study.showing.samples import report_samples, samples
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import Context, StageError, make_context

VLM = "tiny-mllama-untrained"


@pytest.fixture
def context(finished_run: Path, phantom_cohort: Path, small_study: Path) -> Context:
    return make_context(read_study(small_study), cohort=phantom_cohort, out=finished_run)


def by_task(context: Context, model: str) -> dict[str, Sample]:
    return {sample.task: sample for sample in samples(context, context.tested[0], model)}


def test_a_language_model_is_quoted_to_the_letter(context: Context) -> None:
    id = context.tested[0]
    lines = map(json.loads, context.folder.answers(VLM).read_text().splitlines())
    recorded = {(line["task"], line["index"]): line["text"] for line in lines if line["subject"] == id}
    found = by_task(context, VLM)
    assert list(found) == ["grade", "centre", "box", "polygon"]
    assert {(task, said.index): said.text for task, one in found.items() for said in one.said} == recorded


def test_the_truth_beside_a_place_is_the_masks(context: Context) -> None:
    id = context.tested[0]
    labels = context.subjects[id].labels
    assert labels is not None
    for said in by_task(context, "mean-box")["box"].said:
        rows, columns = np.nonzero(labels[said.index])
        assert said.truth == f"({rows.min()}, {columns.min()}, {rows.max()}, {columns.max()})"
        assert re.fullmatch(r"\(\d+, \d+, \d+, \d+\)", said.text)
    (whole,) = by_task(context, "empty")["mask"].said
    assert (whole.index, whole.text, whole.truth) == (None, "0 voxels", f"{np.count_nonzero(labels)} voxels")


def test_the_grade_that_counts_is_the_one_that_was_scored(context: Context) -> None:
    votes = read_scores(context).votes
    for model in ("classifier", "majority-grade", "radiomics", VLM):
        for id in context.tested:
            (sample,) = (one for one in samples(context, id, model) if one.task == "grade")
            (row,) = votes[(votes["model"] == model) & (votes["subject"] == id)].to_dict("records")
            assert sample.votes is not None
            assert sample.votes.counts == (row["lgg"], row["hgg"])
            assert sample.called == (None if pd.isna(row["predicted"]) else row["predicted"])
            assert sample.grade == context.subjects[id].grade


def test_the_report_has_samples_of_language_models_alone(context: Context) -> None:
    found = list(report_samples(context, read_scores(context).votes))
    assert found
    assert {(one.model, one.task, one.plane) for one in found} == {(VLM, "grade", "axial")}
    page = (context.folder.report / "report.html").read_text(encoding="utf-8")
    for one in found:
        assert f"<summary>{VLM}, {one.subject} (axial): true " in page


def test_who_was_not_asked_is_named(context: Context) -> None:
    learnt = next(id for id in context.subjects if id not in context.tested)
    with pytest.raises(StageError, match=rf"{VLM} .*{learnt}.*Phantom_"):
        list(samples(context, learnt, VLM))
    with pytest.raises(StageError, match=r"nobody.*majority-grade, "):
        list(samples(context, context.tested[0], "nobody"))


def test_the_verb_prints_every_task(context: Context, small_study: Path, phantom_cohort: Path) -> None:
    run = ["--cohort", str(phantom_cohort), "--out", str(context.folder.root)]
    command = ["answers", str(small_study), *run, "--subject", context.tested[0], "--model", VLM]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    headings = re.findall(rf"^{VLM}, {context.tested[0]}: (\w+), axial$", done.stdout, re.MULTILINE)
    assert headings == ["grade", "centre", "box", "polygon"]
    assert re.search(r"^Tally \[LGG, HGG, none, unread\]: \[\d+, \d+, \d+, \d+\]", done.stdout, re.MULTILINE)


@pytest.mark.realdata
def test_the_reference_studys_answers(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOBENCH_REPLICATION", str(shared / "replication"))
    study = read_replication(Path(__file__).parents[2] / "studies" / "replication.yaml")
    sample = external_sample(study, "patient_000", "llama-general-axial")
    assert (len(sample.said), sample.grade, sample.called) == (52, 0, 1)
    assert sample.said[0].text == "Choice: 2 Reasoning: No mass effect, no contrast enhancement, no edema, no"
    assert sample.tally == (6, 38, 6, 2), "as the file ends"
    # The two that the study could not read are slice 3, "No Glioma (2)", and slice 11, "Choice: 1".
    assert sample.votes is not None
    assert sample.votes == Votes((6, 39), 7, 0)
    centre = external_sample(study, "patient_000", "llama-general-centre").said[0]
    assert (centre.truth, centre.text) == ("(40.5, 99.5), box (30, 88, 51, 111)", "(66, 73)")
    with pytest.raises(StudyError, match=r"llama-general-box .*patient_008.*patient_000"):
        external_sample(study, "patient_008", "llama-general-box")
    with pytest.raises(StudyError, match=r"nobody.*llama-general-axial"):
        external_sample(study, "patient_000", "nobody")
