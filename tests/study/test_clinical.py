"""A study of a table: its columns as features and as subgroups, and its readers beside the models."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from markupsafe import escape
from tests.study.scored import run_to_scores

from gliobench.report.contents import ReportContents
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page
from gliobench.report.pairs import pair_tables
from gliobench.report.tables import first_table, ranked_models, task_table
from gliobench.report.words import findings, question
from gliobench.scoring.human import AGAINST, READERS
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.showing.report import report_contents
from gliobench.study.state.context import Context, make_context

STUDY = """
name: clinical
problem: nodules
grid: {shape: [8, 16, 16]}
split: {test_share: 0.5, folds: 2, seed: 1}
tasks: [grade, mask]
subgroups: [sex, age]
models:
  - {kind: classical, name: age-alone, region: none, variables: [age, sex]}
  - {kind: replay, name: net, masks: masks}
  - {kind: baseline, name: bright-blob}
  - {kind: baseline, name: majority-grade}
"""
CLASSES = ("benign", "indeterminate", "malignant")


def write_cohort(folder: Path) -> Path:
    """27 patients with a bright ball, which three readers and a network draw with four radii; age follows the class."""
    for made in (folder, folder.parent / "masks"):
        made.mkdir()
    random, rows = np.random.default_rng(0), []
    distance = np.linalg.norm(np.indices((16, 16, 8)) - np.array([8, 8, 4])[:, None, None, None], axis=0)
    for number in range(27):
        image = (random.normal(60, 9, distance.shape) + 120 * (distance < 3)).clip(1, 255).astype(np.uint8)
        readers = sum((distance < radius) << bit for bit, radius in enumerate((2.2, 3, 3.2)))
        files = {name: f"P{number}-{name}.nii.gz" for name in ("ct", "readers")}
        net = (distance < 1.8).astype(np.uint8)
        made = {folder / files["ct"]: image, folder / files["readers"]: readers.astype(np.uint8)}
        for path, voxels in (made | {folder.parent / "masks" / f"P{number:02d}.nii.gz": net}).items():
            nib.save(nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0])), path)
        age = 40 + 10 * (number % 3) + number // 3
        said = {"class": CLASSES[number % 3], "age": age, "sex": "FM"[number % 2] if number > 4 else ""}
        rows.append(
            {"id": f"P{number:02d}", "ct": f"P{number}-ct.nii.gz", "readers": f"P{number}-readers.nii.gz"} | said
        )
    pd.DataFrame(rows).to_csv(folder / "subjects.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The study as far as its figures."""
    folder = tmp_path_factory.mktemp("clinical")
    (folder / "study.yaml").write_text(STUDY)
    patch = pytest.MonkeyPatch()
    patch.setattr("gliobench.models.classical.grade.TREES", 10)
    study, cohort = read_study(folder / "study.yaml"), write_cohort(folder / "cohort")
    context = make_context(study, cohort=cohort, out=folder / "out")
    run_to_scores(context)
    patch.undo()
    return context


@pytest.fixture(scope="module")
def contents(context: Context) -> ReportContents:
    found = report_contents(context)
    drawn = found.per_subject[found.per_subject["metric"] == "dice"]  # drawing all takes seconds
    return replace(found, per_subject=drawn, gallery=(), outlines=())


def test_readers_stand_beside_the_models_and_compete_with_none(contents: ReportContents) -> None:
    assert ranked_models(contents)[2:] == [READERS, "bright-blob", "majority-grade"]
    groups = {row.model: (row.group, row.mark) for row in first_table(contents).rows}
    assert groups[READERS] == ("human readers", AGAINST)
    assert task_table(contents, "mask").rows[-1].model == READERS
    assert question(contents).startswith("How well do 2 models and 2 trivial baselines answer ")
    masks = contents.summary[(contents.summary["task"] == "mask") & (contents.summary["metric"] == "dice")]
    best = (
        masks[(masks["plane"] == "volume") & ~masks["model"].isin(contents.baselines)]
        .sort_values("value")
        .iloc[-1]["model"]
    )
    assert best == READERS  # and yet:
    assert "highest Dice: net" in next(found.text for found in findings(contents) if found.task == "mask")
    page = render_page(contents)
    assert page.count(f'<span class="tag mark">{escape(AGAINST)}</span>') >= 3
    assert '<span class="tag mark">variables alone</span>' in page


def test_every_model_is_compared_with_the_readers_apart_from_the_baselines(contents: ReportContents) -> None:
    baselines, human = pair_tables(contents)
    assert [(row.model, row.baseline) for row in human.rows] == [("net", READERS)]
    assert READERS not in {name for row in baselines.rows for name in (row.model, row.baseline)}
    assert "a correction of their own (1 test)" in human.words
    assert contents.comparisons is not None
    row = contents.comparisons[contents.comparisons["model_b"] == READERS].iloc[0]
    assert row["p_holm"] == row["p"] or np.isnan(row["p"])
    value = contents.summary.set_index(["model", "task", "plane", "metric"])["value"]
    expected = value["net", "mask", "volume", "dice"] - value[READERS, "mask", "volume", "dice"]
    assert row["difference"] == pytest.approx(expected)


def test_subgroups_are_counted_and_said_to_be_exploratory(context: Context, contents: ReportContents) -> None:
    table = contents.subgroups
    assert table is not None
    assert set(table.loc[table["variable"] == "sex", "group"]) <= {"F", "M", "missing"}
    ages = table[table["variable"] == "age"]
    assert len(set(ages["group"])) == 3
    for variable in ("sex", "age"):
        own = table[(table["variable"] == variable) & (table["model"] == "bright-blob") & (table["task"] == "mask")]
        assert own["n"].sum() == len(context.tested)
        whole = contents.summary.set_index(["model", "task", "plane", "metric"])["value"]
        mean = np.average(own["value"], weights=own["n"])
        assert mean == pytest.approx(whole["bright-blob", "mask", "volume", "dice"])
    text = write_markdown(contents)
    assert f"Exploratory: {table['value'].notna().sum()} figures of subgroups were looked at" in text
    assert "### sex: grade, balanced accuracy" in text


def test_a_class_that_a_variable_gives_away_is_said(context: Context, contents: ReportContents) -> None:
    config = context.study.models[0]
    assert list(config.warnings(context)) == ["age-alone: age alone separates the classes of all training patients."]
    assert any("age alone separates" in note for note in contents.notes)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("subgroups: [sex, age]", "subgroups: [sexe]", r"study.yaml:7: subgroups: .*'sexe'; it has age, sex"),
        ("name: age-alone", f"name: {READERS}", r"readers is the row of human readers"),
        ("region: none, variables: [age, sex]", "region: none", r"region: none looks at `variables` alone"),
        ("variables: [age, sex]", "variables: [age, age]", r"age is duplicated"),
        ("variables: [age, sex]", "variables: [stage]", r"age-alone: variables: .*'stage'; it has age, sex"),
    ],
)
def test_what_cannot_be_used_is_named(context: Context, tmp_path: Path, old: str, new: str, named: str) -> None:
    masks = context.cohort.parent / "masks"
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new).replace("masks: masks", f"masks: {masks}"))
    with pytest.raises((StudyError, ValueError), match=named):
        run_to_scores(
            make_context(
                read_study(tmp_path / "study.yaml"), cohort=context.cohort, out=tmp_path / "out", store=context.store
            )
        )
