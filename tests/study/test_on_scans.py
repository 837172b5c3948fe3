"""The reference study's raw answers beside other models on the scans: on made-up patients, and on its two real ones."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from gliobench.cli.app import app
from gliobench.study.config.study import StudyError, read_study
from gliobench.study.parts.paths import REPLICATION
from gliobench.study.run import run_stages
from gliobench.study.stages.score import read_scores
from gliobench.study.state.context import Context, StageError, make_context

STUDY = Path(__file__).parents[2] / "studies" / "replication-on-scans.yaml"
ROW, COLUMN = 12, 9  # where the window of the first made-up patient begins
WITHOUT_TRAINING = ("replay", "baseline")
TESTED = ("BraTS20_Training_322", "BraTS20_Training_361")  # the study's patients 0 and 1
LEARNT = {"BraTS20_Training_001": "fold-0", "BraTS20_Training_002": "fold-1", "BraTS20_Training_310": "fold-1"}


def core(z: int) -> tuple[int, int, int, int]:
    """First and last row, first and last column of label 1 in slice `z` of the scan, 60 to 79."""
    row, column = 40 + z % 3, 50 + z % 4
    return row, row + 10, column, column + 8


def write_patient(root: Path, id: str, seed: int) -> None:
    """Oedema in the slices 55 to 84, rows 35 to 60, columns 45 to 70; label 1 within."""
    labels = np.zeros((160, 160, 155), np.uint8)
    labels[45:71, 35:61, 55:85] = 2
    for z in range(60, 80):
        top, bottom, left, right = core(z)
        labels[left : right + 1, top : bottom + 1, z] = 1
    shade = np.zeros(labels.shape, np.int16)
    shade[4:156, 4:156, 4:150] = 100 + 10 * seed + np.arange(146)
    (root / id).mkdir(parents=True)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    nib.save(nib.Nifti1Image(labels, affine), root / id / f"{id}_seg.nii.gz")
    for number, modality in enumerate(("flair", "t1", "t1ce", "t2")):
        image = shade + (300 * (labels > 0)).astype(np.int16) + number * (shade > 0).astype(np.int16)
        nib.save(nib.Nifti1Image(image.astype(np.int16), affine), root / id / f"{id}_{modality}.nii.gz")


def corners(top: int, bottom: int, left: int, right: int) -> str:
    """As the study writes a box, in pixels of the window."""
    rows, columns = (top - ROW, bottom - ROW), (left - COLUMN, right - COLUMN)
    return (
        f"[({rows[0]}, {columns[0]}), ({rows[0]}, {columns[1]}), ({rows[1]}, {columns[1]}), ({rows[1]}, {columns[0]})]"
    )


def write_answers(root: Path) -> None:
    """Patient 0 is answered rightly; patient 1 has the boxes of nobody."""
    whole = corners(35, 60, 45, 70)
    centre = "Ground truth centre: [(0, 0)] || Ground truth bbox: {} || Model output: (35, 48)\n"
    box = "Ground truth: {} || Model output: " + whole + "\n"
    files = {
        "centre/general/patient_0.txt": "".join(centre.format(corners(*core(z))) for z in range(60, 79)),
        "centre/general/patient_1.txt": centre.format(corners(20, 50, 20, 60)) * 3,
        "box/general/og_patient_0.txt": "".join(box.format(corners(*core(z))) for z in range(65, 75)),
        "grade/general-axial/scan_results_0.txt": "Scan #: 0/8\n"
        + "".join(f"Slice #{index} => Choice: {int(index > 30)}\n" for index in range(25, 55))
        + "True Label: HGG || Prediction Label: HGG\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A whole run on five made-up patients, two of whom the study tested."""
    root = tmp_path_factory.mktemp("made-up")
    ids = (*TESTED, *LEARNT)
    cohort = root / "cohort"
    cohort.mkdir()
    with (cohort / "name_mapping.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("Grade", "BraTS_2020_subject_ID"), *((("LGG" if id.endswith("310") else "HGG"), id) for id in ids)]
        )
    for seed, id in enumerate(ids):
        write_patient(cohort, id, seed)
    write_answers(root / "answers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(REPLICATION, str(root / "answers"))
        content = entries(lambda config: not {"tuned", "polygon"} & set(config["name"].split("-")))
        context = write_study(root, cohort, content, {TESTED[0]: "test", **LEARNT})
        run_stages(context)
    return context


def entries(wanted) -> dict:  # type: ignore[no-untyped-def, type-arg]
    """The study file without what learns for long, and without the entries that are not wanted."""
    content: dict[str, object] = yaml.safe_load(STUDY.read_text())
    models = content["models"]
    assert isinstance(models, list)
    content["models"] = [config for config in models if config["kind"] in WITHOUT_TRAINING and wanted(config)]
    return content


def write_study(root: Path, cohort: Path, content: dict[str, object], parts: dict[str, str]) -> Context:
    (root / "split.csv").write_text("id,part\n" + "".join(f"{id},{config}\n" for id, config in parts.items()))
    content["split"] = {"file": "split.csv", "fold": 0}
    (root / "study.yaml").write_text(yaml.safe_dump(content))
    return make_context(read_study(root / "study.yaml"), cohort=cohort, out=root / "run")


def figure(context: Context, model: str, task: str, source: str, metric: str) -> tuple[float, int]:
    """Value and questions of an axial figure."""
    table = read_scores(context).summary
    row = table[
        (table["model"] == model)
        & (table["task"] == task)
        & (table["source"] == source)
        & (table["metric"] == metric)
        & (table["plane"] == "axial")
    ]
    assert len(row) == 1, row
    return float(row["value"].iloc[0]), int(row["n_asked"].iloc[0])


def test_answers_fall_where_they_were_given_on_the_scan(made_up: Context) -> None:
    # The tumour's box is rows 35 to 60 and columns 45 to 70 of the scan, its middle (47.5, 57.5), in the window
    # (35.5, 48.5): (35, 48) is half a pixel off along both. Slices 60 to 78 are 19, 65 to 74 are 10.
    assert figure(made_up, "llama-general-centre", "centre", "centre", "distance_to_centre_mm") == (
        pytest.approx(0.5**0.5),
        19,
    )
    assert figure(made_up, "llama-general-box", "box", "box", "dice") == (pytest.approx(1), 10)
    # 128 x 128 pixels hold 26 x 26 of the tumour.
    assert figure(made_up, "whole-slice", "box", "box", "precision") == (pytest.approx(26**2 / 128**2), 10)


def test_others_are_asked_about_the_same_slices_and_a_finer_answer_stands_for_all_of_them_or_not_at_all(
    made_up: Context,
) -> None:
    assert figure(made_up, "image-centre", "centre", "centre", "in_box")[1] == 19
    assert figure(made_up, "flair-blob", "centre", "mask", "in_box") == (pytest.approx(1), 19)
    assert figure(made_up, "flair-blob", "box", "mask", "dice")[1] == 10
    table = read_scores(made_up).summary
    of_box = table[(table["model"] == "llama-general-box") & (table["task"] == "centre")]
    assert of_box.empty  # it was asked about 10 of the 19 slices


def test_grades_are_those_of_all_slices_that_were_answered(made_up: Context) -> None:
    (votes,) = read_scores(made_up).votes.query("model == 'llama-general-grade'").to_dict("records")
    assert (votes["lgg"], votes["hgg"]) == (6, 24)  # slices 25 to 30, and 31 to 54


def test_a_patient_whose_window_is_not_known_is_left_out_by_name_and_counted(made_up: Context) -> None:
    assert set(made_up.subjects) == {TESTED[0], *LEARNT}
    ((fault),) = made_up.left_out
    assert fault.subject_id == TESTED[1]
    assert "no windows fit the 3 published boxes" in fault.problem
    (note,) = [one for one in made_up.cohort_notes if "tested 2 patients of this cohort" in one]
    assert "known of 1" in note
    page = (made_up.folder.report / "report.md").read_text().replace("\\", "")
    assert TESTED[1] in page
    assert note.split(".")[0] in page


def test_the_window_is_part_of_what_a_prepared_patient_is(made_up: Context) -> None:
    """The grid's first voxel lies where the window begins: 30 slices up, `ROW` back and `COLUMN` to the left."""
    first = made_up.subjects[TESTED[0]].affine[:3, 3]
    np.testing.assert_allclose(first, (-COLUMN, -ROW, 30))
    # The others', whose window nobody knows, around the middle of the brain, (79.5, 79.5): from 16 on.
    np.testing.assert_allclose(made_up.subjects[TESTED[0][:-3] + "001"].affine[:3, 3], (-16, -16, 30))


def test_where_no_answer_can_be_laid_on_a_scan_nothing_is_run_on_no_questions(made_up: Context, tmp_path: Path) -> None:
    write_answers(tmp_path / "answers")
    boxes = tmp_path / "answers" / "box" / "general" / "og_patient_0.txt"
    boxes.write_text(f"Ground truth: {corners(35, 60, 45, 70)} || Model output: (1, 1)\n")  # the whole tumour's
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(REPLICATION, str(tmp_path / "answers"))
        content = entries(lambda config: config["name"] == "llama-general-box")
        content["tasks"] = ["box"]
        context = write_study(tmp_path, made_up.cohort, content, {TESTED[0]: "test", **LEARNT})
        with pytest.raises(
            StageError, match=rf"about {TESTED[0]} \(og_patient_0.txt\) do not have the patient's truth"
        ):
            run_stages(replace(context, store=made_up.store))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("grid", {"preset": "brain", "windows": "x"}, "windows are those of `preset: study`"),
        ("slices", {"select": "external", "trim": 3}, "leave out every, min_area_px, trim"),
        ("models", [{"kind": "baseline", "name": "empty"}], "needs an entry `kind: replay`"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    content = entries(lambda config: True)
    content[key] = value
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(StudyError, match=message):
        read_study(tmp_path / "study.yaml")


def test_the_very_file_names_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "centre" / "general").mkdir(parents=True)
    done = CliRunner().invoke(app, ["run", str(STUDY), "--cohort", str(tmp_path)], env={REPLICATION: str(tmp_path)})
    assert isinstance(done.exception, StudyError)
    assert "grid.windows (and 1 more entries): " in str(done.exception)
    assert "holds no file of answers" in str(done.exception)
    assert f"{tmp_path}/box/general (external answers) is not there" in str(done.exception)


@pytest.mark.realdata
def test_on_the_two_real_patients_the_figures_are_those_of_the_check(shared: Path, tmp_path: Path) -> None:
    """docs/results/2026-11-27-replication-on-scans.md has them by another way: from the scan's own voxels."""
    parts = dict(zip(real_patients(shared), ("fold-0", "fold-0", "fold-1", "fold-1", "fold-1", "fold-1"), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(REPLICATION, str(shared / "replication"))
        content = entries(lambda config: config["name"] not in ("mean-box", "flair-blob", "majority-grade"))
        content["tasks"] = ["centre", "box", "polygon"]
        content["models"] = [config for config in content["models"] if "grade" not in config["name"]]  # type: ignore[attr-defined]
        parts |= {"BraTS20_Training_216": "test", "BraTS20_Training_275": "test"}
        context = write_study(tmp_path, shared / "cohort_1mm", content, parts)
        run_stages(context)
    expected = {
        ("llama-general-centre", "centre", "in_box"): (0.318, 68),
        ("llama-general-centre", "centre", "distance_to_centre_mm"): (28.5, 68),
        ("image-centre", "centre", "distance_to_centre_mm"): (33.4, 68),
        ("llama-general-box", "box", "dice"): (0.205, 14),
        ("llama-general-box", "box", "recall"): (0.296, 14),
        ("whole-slice", "box", "dice"): (0.268, 14),
        ("llama-general-polygon", "polygon", "dice"): (0.040, 68),
        ("whole-slice", "polygon", "dice"): (0.125, 68),
    }
    for (model, task, metric), (value, asked) in expected.items():
        found, questions = figure(context, model, task, task, metric)
        assert questions == asked
        assert found == pytest.approx(value, abs=0.05 if metric.endswith("_mm") else 0.0005)


def real_patients(shared: Path) -> Sequence[str]:
    """The six of them whom the study did not test."""
    ids = sorted(path.name for path in (shared / "cohort_1mm").iterdir() if path.is_dir())
    return [id for id in ids if not id.endswith(("216", "275"))]
