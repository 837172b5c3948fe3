"""Networks' figures on patients that they know: by hand, in the run folder, in the report, absent of earlier runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliobench.grid.prepared import PreparedSubject
from gliobench.integrity import listed, read_json, read_stamp, write_stamp
from gliobench.models.base.prediction import Prediction, Question
from gliobench.models.networks.trained import load_network
from gliobench.scoring.intervals import Bootstrap
from gliobench.study.config.study import read_study
from gliobench.study.run import run_stages
from gliobench.study.stages.in_sample import figures_of
from gliobench.study.state.context import Context, make_context
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade, Value, VolumeMask

# The fourth voxel is two from the tumour, the third one: the 95th percentile of 0, 0, 1, 2 lies 0.85 of the way to 2.
HD95_OF_LAST = 1.85


def answer(id: str, grade: int, value: Value, task: str) -> Prediction:
    """About a patient of four voxels in a row, of which the first two are tumour."""
    labels = np.array([1, 1, 0, 0], np.uint8).reshape(1, 1, 4)
    subject = PreparedSubject(
        id, grade, np.ones((4, 1, 1, 4), np.uint8), labels, np.eye(4), np.eye(4), (4, 1, 1), False, id
    )
    return Prediction(Question(subject, task, None), Answered(value), score=0.5 if task == "grade" else None)


def mask(*voxels: int) -> VolumeMask:
    return VolumeMask(np.array(voxels, bool).reshape(1, 1, 4))


def values(task: str, given: list[Prediction]) -> dict[str, float | int | None]:
    found = figures_of(task, given, Bootstrap(resamples=2))
    (n,) = {one["n"] for one in found.values()}
    return {"n": n, **{metric: one["value"] for metric, one in found.items()}}


def test_grades_by_hand() -> None:
    given = [("a", 1, 1), ("b", 1, 1), ("c", 1, 0), ("d", 0, 0)]  # recall 2 / 3, specificity 1, precision 1
    found = values("grade", [answer(id, truth, Grade(called), "grade") for id, truth, called in given])
    expected = {"accuracy": 3 / 4, "balanced_accuracy": 5 / 6, "f1": 4 / 5, "precision": 1, "recall": 2 / 3}
    assert found == pytest.approx({"n": 4, **expected, "specificity": 1, "auc": 0.5})  # one score for all
    alone = values("grade", [answer("a", 1, Grade(1), "grade")])
    assert (alone["n"], alone["balanced_accuracy"], alone["recall"]) == (1, None, 1)  # nobody with LGG


def test_four_patients_of_whom_one_has_the_rarer_grade() -> None:
    for order in range(4):  # whichever patients two resamples leave out
        given = [answer(f"p{place}", int(place != order), Grade(1), "grade") for place in range(4)]
        assert values("grade", given)["balanced_accuracy"] == 0.5


def test_masks_by_hand_count_a_patient_with_two_scans_once() -> None:
    given = [
        ("BraTS-GLI-00001-000", mask(1, 1, 0, 0)),  # Dice 1, distance 0
        # Dice 0, so that this patient has 1 / 2; distance the longest there is, 3 mm
        ("BraTS-GLI-00001-001", mask(0, 0, 0, 0)),
        ("BraTS-GLI-00002-000", mask(1, 1, 1, 1)),  # Dice 2 x 2 / (4 + 2), precision 1 / 2, recall 1, specificity 0
    ]
    found = values("mask", [answer(id, 1, value, "mask") for id, value in given])
    assert found == pytest.approx(
        {
            "n": 2,
            "dice": (1 / 2 + 2 / 3) / 2,
            "hd95_mm": (3 / 2 + HD95_OF_LAST) / 2,
            "precision": (1 / 2 + 1 / 2) / 2,
            "recall": (1 / 2 + 1) / 2,
            "specificity": (1 + 0) / 2,
        }
    )


def context_of(small_study: Path, cohort: Path, out: Path) -> Context:
    return make_context(read_study(small_study), cohort=cohort, out=out)


def test_a_run_has_them_of_training_and_validation_and_the_report_beside_those_of_the_test(
    finished_run: Path, phantom_cohort: Path, small_study: Path
) -> None:
    context = context_of(small_study, phantom_cohort, finished_run)
    folder, fold = context.folder.network("segmenter", 0), context.split.fold(0)
    left = read_json(folder / "figures.json")["figures"]
    (member,) = (network := load_network([folder], "it")).members
    blind = replace(network, members=(replace(member, trained_on=frozenset()),))
    for config, ids in (("training", fold.train), ("validation", fold.validation)):
        dice = []
        for one in blind.predict([Question(context.subjects[id], "mask", None) for id in ids]):
            found, truth = one.answer.value.voxels, one.question.subject.tumour  # type: ignore[union-attr]
            dice.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
        assert left[config]["dice"] == {"value": pytest.approx(np.mean(dice)), "n": len(ids)}
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
