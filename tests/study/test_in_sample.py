"""Networks' figures on patients that they know: by hand, in the run folder, in the report, absent of earlier runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import listed, read_json, read_stamp, write_stamp
from gliobench.models.prediction import Prediction, Question
from gliobench.models.trained import load_network
from gliobench.study.config import read_study
from gliobench.study.context import Context, make_context
from gliobench.study.in_sample import dice_value, grade_values
from gliobench.study.run import run_stages
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade, Value, VolumeMask


def answer(id: str, grade: int, value: Value, task: str) -> Prediction:
    """About a patient of four voxels in a row, of which the first two are tumour."""
    labels = np.array([1, 1, 0, 0], np.uint8).reshape(1, 1, 4)
    subject = PreparedSubject(
        id, grade, np.ones((4, 1, 1, 4), np.uint8), labels, np.eye(4), np.eye(4), (4, 1, 1), False, id
    )
    return Prediction(Question(subject, task, None), Answered(value), score=0.5 if task == "grade" else None)


def mask(*voxels: int) -> VolumeMask:
    return VolumeMask(np.array(voxels, bool).reshape(1, 1, 4))


def test_grades_by_hand() -> None:
    given = [("a", 1, 1), ("b", 1, 1), ("c", 1, 0), ("d", 0, 0)]  # recall 2 / 3, specificity 1
    found = grade_values([answer(id, truth, Grade(called), "grade") for id, truth, called in given])
    assert found["accuracy"] == {"value": 0.75, "n": 4}
    assert found["balanced_accuracy"] == {"value": pytest.approx(5 / 6), "n": 4}
    alone = grade_values([answer("a", 1, Grade(1), "grade")])
    assert alone["balanced_accuracy"] == {"value": None, "n": 1}  # nobody with LGG


def test_four_patients_of_whom_one_has_the_rarer_grade() -> None:
    for order in range(4):  # whichever patients two resamples leave out
        given = [answer(f"p{place}", int(place != order), Grade(1), "grade") for place in range(4)]
        assert grade_values(given)["balanced_accuracy"] == {"value": 0.5, "n": 4}


def test_dice_by_hand_counts_a_patient_with_two_scans_once() -> None:
    given = [
        ("BraTS-GLI-00001-000", mask(1, 1, 0, 0)),  # 1
        ("BraTS-GLI-00001-001", mask(0, 0, 0, 0)),  # 0, so that this patient has 1 / 2
        ("BraTS-GLI-00002-000", mask(1, 1, 1, 1)),  # 2 x 2 / (4 + 2)
    ]
    found = dice_value([answer(id, 1, value, "mask") for id, value in given])
    assert found == {"dice": {"value": pytest.approx((1 / 2 + 2 / 3) / 2), "n": 2}}


def context_of(small_study: Path, cohort: Path, out: Path) -> Context:
    return make_context(read_study(small_study), cohort=cohort, out=out)


def test_a_run_has_them_of_training_and_validation_and_the_report_beside_those_of_the_test(
    finished_run: Path, phantom_cohort: Path, small_study: Path
) -> None:
    context = context_of(small_study, phantom_cohort, finished_run)
    folder, fold = context.folder.network("segmenter", 0), context.split.fold(0)
    left = read_json(folder / "figures.json")["figures"]
    (member,) = (network := load_network([folder], "it")).members
    blind = replace(network, members=(replace(member, learnt_from=frozenset()),))
    for part, ids in (("training", fold.train), ("validation", fold.validation)):
        dice = []
        for one in blind.predict([Question(context.subjects[id], "mask", None) for id in ids]):
            found, truth = one.answer.value.voxels, one.question.subject.tumour  # type: ignore[union-attr]
            dice.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
        assert left[part]["dice"] == {"value": pytest.approx(np.mean(dice)), "n": len(ids)}
    summary = pd.read_csv(finished_run / "report" / "summary.csv")
    own = summary[(summary["model"] == "segmenter") & (summary["task"] == "mask") & (summary["metric"] == "dice")]
    test = own[own["plane"] == "volume"]["value"].item()
    row = next(
        line
        for line in (finished_run / "report" / "report.md").read_text().splitlines()
        if line.startswith("| segmenter | 0 | Dice |")
    )
    cells = [cell.strip().split(" ")[0].rstrip(",") for cell in row.split("|")[4:7]]
    values = [left["training"]["dice"]["value"], left["validation"]["dice"]["value"], test]
    assert [float(cell) for cell in cells] == pytest.approx(values, abs=0.005)
    page = (finished_run / "report" / "report.html").read_text()
    assert "Training figures are in-sample" in page
    assert page.count("<td>balanced accuracy</td>") == 1


def test_a_run_of_an_earlier_version_is_reported_without_them(
    finished_run: Path, phantom_cohort: Path, small_study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "earlier"
    shutil.copytree(finished_run, out)
    for name in ("segmenter", "classifier"):
        folder, stamp = out / "networks" / name / "fold-0", out / "stamps" / f"train-{name}-fold-0.json"
        (folder / "figures.json").unlink()
        curves = pd.read_csv(folder / "curves.csv")
        curves.iloc[:, :5].to_csv(folder / "curves.csv", index=False)
        earlier = read_stamp(stamp)
        assert earlier is not None
        assert earlier.files is not None
        names = [out / one for one in earlier.files if not one.endswith("figures.json")]
        write_stamp(stamp, replace(earlier, files=listed(names, out)))
    weights = (out / "networks/segmenter/fold-0/network.safetensors").stat().st_mtime_ns
    (out / "stamps/report.json").unlink()
    run_stages(context_of(small_study, phantom_cohort, out))
    page = (out / "report" / "report.html").read_text()
    assert "Training curves of segmenter, fold 0" in page
    assert "in-sample" not in page
    assert (out / "networks/segmenter/fold-0/network.safetensors").stat().st_mtime_ns == weights
