"""A study of patients from three hospitals: each left out once, and told that the grade can be read off them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from tests.study.scored import run_to_scores

from gliobench.report.contents import ReportContents
from gliobench.report.markdown import write_markdown
from gliobench.report.words import caveats
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.showing.report import report_contents
from gliobench.study.state.context import Context, make_context

STUDY = """
name: hospitals
grid: {shape: [8, 8, 8]}
split: {by: Hospital, validation_share: 0.2}
subgroups: [size]
tasks: [grade]
models:
  - {kind: baseline, name: source}
  - {kind: baseline, name: majority-grade}
"""
PATIENTS = [("Oslo", "HGG")] * 6 + [("Rome", "LGG")] * 6 + [("Bonn", "HGG"), ("Bonn", "LGG")] * 3
IMAGES = ("flair", "t1", "t1ce", "t2")


def write_cohort(folder: Path, patients: list[tuple[str, str]]) -> Path:
    folder.mkdir()
    random, rows = np.random.default_rng(0), []
    for number, (hospital, grade) in enumerate(patients):
        mask = np.zeros((8, 8, 8), np.uint8)
        mask[2 : 3 + number % 4, 2:4, 2:4] = 2
        voxels = {image: random.integers(20, 200, mask.shape, np.uint8) for image in IMAGES} | {"mask": mask}
        for name, one in voxels.items():
            nib.save(nib.Nifti1Image(one, np.diag([-1.0, -1.0, 1.0, 1.0])), folder / f"{number}-{name}.nii.gz")
        files = {name: f"{number}-{name}.nii.gz" for name in voxels}
        rows.append({"id": f"P{number:02d}", "grade": grade, "Hospital": hospital} | files)
    pd.DataFrame(rows).to_csv(folder / "subjects.csv", index=False)
    return folder


def context_of(folder: Path, patients: list[tuple[str, str]], study: str = STUDY) -> Context:
    (folder / "study.yaml").write_text(study)
    cohort = write_cohort(folder / "cohort", patients)
    return make_context(read_study(folder / "study.yaml"), cohort=cohort, out=folder / "run")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    made = context_of(tmp_path_factory.mktemp("hospitals"), PATIENTS)
    run_to_scores(made)
    return made


@pytest.fixture(scope="module")
def contents(context: Context) -> ReportContents:
    return report_contents(context)


def test_each_hospital_is_tested_by_models_of_the_others(context: Context) -> None:
    assert [
        sorted({context.subjects[id].variables["source"] for id in fold.test}) for fold in context.folds.values()
    ] == [
        ["Bonn"],
        ["Oslo"],
        ["Rome"],
    ]


def test_the_source_tells_nothing_of_a_hospital_that_was_left_out(contents: ReportContents) -> None:
    value = contents.summary.set_index(["model", "metric"])["value"]
    assert value["source", "within_source_auc"] == 0.5
    assert value["source", "accuracy"] == value["majority-grade", "accuracy"]


def test_a_grade_that_can_be_read_off_is_said_with_its_figures(contents: ReportContents) -> None:
    """AUC: of 9 x 9 pairs, 6 x 9 + 3 x 6 in order and 3 x 3 ties."""
    (said,) = [one for one in caveats(contents) if "read off the source" in one]
    assert "of 18 patients from 3 sources, 12 are of a source with one grade only" in said
    assert "right for 15 (AUC 0.94); the commonest of all for 9" in said
    assert not any("public" in one for one in caveats(contents))


def test_figures_per_source_and_size_with_their_gap(contents: ReportContents) -> None:
    table, gaps = contents.subgroups, contents.gaps
    assert table is not None
    assert gaps is not None
    own = table[(table["model"] == "source") & (table["metric"] == "accuracy")]
    assert own[own["variable"] == "source"]["group"].tolist() == ["Bonn", "Oslo", "Rome"]
    assert own[own["variable"] == "size"]["group"].tolist() == ["0.004", "0.008", "0.012", "0.016"]
    row = gaps[(gaps["variable"] == "source") & (gaps["metric"] == "accuracy") & (gaps["model"] == "source")].iloc[0]
    values = own[own["variable"] == "source"].set_index("group")["value"]
    assert row["value"] == pytest.approx(values.max() - values.min())
    assert "### source: grade, accuracy" in write_markdown(contents)


def test_a_cohort_without_sources_says_that_it_was_not_checked(tmp_path: Path) -> None:
    study = STUDY.replace("  - {kind: baseline, name: source}\n", "").replace(
        "by: Hospital, validation_share: 0.2", "folds: 2"
    )
    made = context_of(tmp_path, [("", "HGG"), ("", "LGG")] * 5, study)
    run_to_scores(made)
    found = report_contents(made)
    assert any("Where the patients come from is not known" in note for note in found.notes)
    assert found.cautions == []


@pytest.mark.parametrize(("split", "named"), [("by: Hospital, folds: 3", "leave folds out"), ("by: [a]", "by")])
def test_by_makes_the_folds_alone(tmp_path: Path, split: str, named: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace("by: Hospital", split))
    with pytest.raises(StudyError, match=named):
        read_study(tmp_path / "study.yaml")
