"""Grades from the tumour that another model of the study found: never by one that learnt from the patient."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliobench.grid.crop import crop_around
from gliobench.models.networks.description import read_description
from gliobench.study.asking.answers import current_answers
from gliobench.study.asking.masks import predicted_masks
from gliobench.study.asking.region_of_interest import shown
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.kinds.classical import ClassicalConfig
from gliobench.study.kinds.network import NetworkConfig
from gliobench.study.run import run_stages
from gliobench.study.state.context import Context, StageError, make_context

STUDY = """\
name: shown
grid: {shape: [24, 32, 32]}
split: {scheme: cross-validation, folds: 2, validation_share: 0.3}
slices: {every: 12}
tasks: [grade, mask]
models:
  - {kind: ensemble, name: both, of: [inside, cropped]}
  - {kind: classical, name: inside, region: predicted, by: segmenter}
  - kind: network
    name: cropped
    network: grade-classifier
    crop: {by: segmenter, shape: [12, 12, 12]}
    train: {epochs: 2}
  - {kind: network, name: segmenter, network: mask-segmenter, train: {epochs: 4, learning_rate: 3.0e-3}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, phantom_cohort: Path) -> Context:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "study.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gliobench.models.classical.grade.TREES", 20)
        context = make_context(read_study(folder / "study.yaml"), cohort=phantom_cohort, out=folder / "run")
        run_stages(context)
    return context


def test_training_and_test_patients_carry_out_of_fold_masks_and_not_the_truth(finished: Context) -> None:
    inside, cropped = finished.study.models[1:3]
    assert isinstance(inside, ClassicalConfig)
    assert isinstance(cropped, NetworkConfig)
    found = predicted_masks(finished, "segmenter")
    for number, round in enumerate(finished.rounds):
        learnt = read_description(finished.folder.network("segmenter", number))["trained_on"]
        assert not set(learnt) & set(round.test), "so nobody's mask is by a network that learnt from him"
    masked, boxes = shown(finished, inside), shown(finished, cropped)
    for id, subject in finished.subjects.items():
        assert np.array_equal(masked[id].tumour, found[id].voxels)
        assert not np.array_equal(masked[id].tumour, subject.tumour)
        assert np.array_equal(boxes[id].image, crop_around(subject, found[id].voxels, (12, 12, 12)).image)
    assert read_description(finished.folder.network("cropped", 0))["shape"] == [12, 12, 12]


def test_models_together_give_the_mean_of_their_probabilities(finished: Context) -> None:
    scores = {
        name: {record.subject: record.score for record in current_answers(finished, name)}
        for name in ("both", "inside", "cropped")
    }
    assert sorted(scores["both"]) == sorted(finished.subjects)
    for id, score in scores["both"].items():
        assert score == pytest.approx((scores["inside"][id] + scores["cropped"][id]) / 2)  # type: ignore[operator]
    table = pd.read_parquet(finished.folder.scores / "summary.parquet")
    assert {"both", "inside", "cropped"} <= set(table[table["task"] == "grade"]["model"])


def test_nothing_here_is_an_oracle_and_the_report_says_by_whom_tumours_were_found(finished: Context) -> None:
    assert {record.oracle for record in current_answers(finished, "cropped")} == {()}
    page = (finished.folder.report / "report.md").read_text()
    assert "cropped looks where segmenter found the tumour" in page


def test_in_holdout_there_are_no_out_of_fold_masks_and_it_is_refused(finished: Context, tmp_path: Path) -> None:
    text = STUDY.replace("scheme: cross-validation, folds: 2, validation_share: 0.3", "test_share: 0.4, folds: 2")
    # A rule learns from nobody and is still only asked about test patients: the rule is one for all.
    text = text.replace("by: segmenter", "by: flair-blob").replace("mask-segmenter", "dynunet")
    text += "  - {kind: baseline, name: flair-blob}\n"
    (tmp_path / "study.yaml").write_text(text)
    context = make_context(
        read_study(tmp_path / "study.yaml"), cohort=finished.cohort, out=tmp_path / "run", store=finished.store
    )
    from gliobench.study.run import prepare, split
    from gliobench.study.stages.predict import predict
    from gliobench.study.stages.train import train

    prepare(context)
    split(context)
    predict(context, ["flair-blob"])
    with pytest.raises(StageError, match=r"cropped: flair-blob .*6 patients .*cross-validation"):
        train(context, ["cropped"])


def test_the_true_tumour_is_marked_as_an_oracle(finished: Context, tmp_path: Path) -> None:
    text = STUDY.replace("crop: {by: segmenter,", "crop: {around: truth,").replace("name: shown", "name: oracle")
    (tmp_path / "study.yaml").write_text(text)
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=finished.cohort, out=finished.folder.root)
    run_stages(context)
    assert {record.oracle for record in current_answers(context, "cropped")} == {("region",)}
    assert {record.oracle for record in current_answers(context, "both")} == {("region",)}
    assert {record.oracle for record in current_answers(context, "inside")} == {()}
    page = (context.folder.report / "report.md").read_text()
    assert "region: cropped looks where the true tumour is" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("region: predicted, by: segmenter", "region: predicted", "`by` names the model whose masks are looked at"),
        ("region: predicted, by: segmenter", "region: predicted, by: nobody", "inside: by: no model is named 'nobody'"),
        ("of: [inside, cropped]", "of: [inside, nobody]", "both: of nobody: no model is named 'nobody'"),
        ("of: [inside, cropped]", "of: [inside, both]", "both: models that answer together cannot be members"),
        ("of: [inside, cropped]", "of: [inside]", "at least 2"),
    ],
)
def test_names_that_are_not_there_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new))
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "study.yaml")


def test_a_segmenter_is_no_member(finished: Context, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("of: [inside, cropped]", "of: [inside, segmenter]"))
    context = make_context(read_study(tmp_path / "study.yaml"), cohort=finished.cohort, out=finished.folder.root)
    from gliobench.study.stages.predict import predict

    with pytest.raises(StageError, match="both: segmenter"):
        predict(context, ["both"])
