"""A cohort in which some patients have no tumour: who counts for which metric, and what stands where nobody does."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.compare import compare_models
from gliobench.scoring.intervals import AGRESTI_COULL, Bootstrap
from gliobench.scoring.score import Item, score_subject
from gliobench.scoring.summary import Scores, summarise
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.geometry import VolumeMask

SHAPE = (6, 8, 10)
FULL, NONE, SILENT = "full", "none", "silent"


def make_subject(id: str, tumour: bool) -> PreparedSubject:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[1:5, 2:7, 3:8] = tumour
    image = np.zeros((4, *SHAPE), dtype=np.uint8)
    affine = np.eye(4)
    return PreparedSubject(id, None, image, labels, affine, affine, SHAPE, False, id)


def answer(what: str) -> Answer:
    return Missing("no file") if what == SILENT else Answered(VolumeMask(np.full(SHAPE, what == FULL)))


def scored(patients: Sequence[tuple[bool, str, str]], whose: Sequence[str] = "") -> Scores:
    """Of each patient whether it has a tumour, and what the models `a` and `b` answer; `whose`: the scans' patients."""
    parts = []
    for number, (tumour, *answers) in enumerate(patients):
        subject = make_subject(f"P{number}", tumour)
        if whose:
            subject = replace(subject, patient=whose[number])
        items = [Item(name, "mask", None, answer(what)) for name, what in zip("ab", answers, strict=True)]
        parts.append(score_subject(subject, items, {"axial": [0, 1, 2]}))
    return summarise(parts, Bootstrap(resamples=100))


def row(table: pd.DataFrame, metric: str, task: str = "mask") -> "pd.Series[float]":
    rows = table[(table["model"] == "a") & (table["metric"] == metric) & (table["task"] == task)]
    assert len(rows) == 1
    return rows.iloc[0]


MIXED = [
    (True, FULL, FULL), (True, FULL, NONE), (True, NONE, FULL), (True, SILENT, FULL),
    (False, NONE, NONE), (False, NONE, FULL), (False, FULL, FULL), (False, SILENT, NONE), (False, NONE, NONE),
]  # fmt: skip


def test_over_patients() -> None:
    """`a` finds two of four tumours; of five patients without one it leaves three alone. Silence is wrong."""
    summary = scored(MIXED).summary
    for metric, right, n in (("detection_sensitivity", 2, 4), ("detection_specificity", 3, 5)):
        found = row(summary, metric)
        assert (found["value"], found["n_subjects"], found["n_asked"]) == (right / n, n, n)
        assert found["coverage"] == (n - 1) / n
        assert found["interval"].startswith(AGRESTI_COULL)
        ends = proportion_confint(right, n, method="agresti_coull")
        assert (found["low"], found["high"]) == pytest.approx(ends)


def test_over_slices() -> None:
    """Slice 0 of three has no tumour in anybody; `a` is right in it in the four patients whom it calls free of one."""
    summary = scored(MIXED).summary
    found = row(summary, "detection_specificity", "box")
    assert (found["n_subjects"], found["n_asked"], found["n_answered"]) == (9, 4 * 1 + 5 * 3, 3 * 1 + 4 * 3)
    assert found["value"] == pytest.approx((1 + 3) / 9)
    found = row(summary, "detection_sensitivity", "centre")
    assert (found["n_subjects"], found["n_asked"], found["value"]) == (4, 8, 1 / 2)
    assert not found["interval"].startswith(AGRESTI_COULL)


def test_undefined_where_there_is_no_such_patient() -> None:
    scores = scored([(True, FULL, FULL), (True, NONE, FULL)])
    found = row(scores.summary, "detection_specificity")
    assert np.isnan(found[["value", "low", "high", "coverage"]].to_numpy(dtype=float)).all()
    assert (found["n_subjects"], found["n_asked"], found["reason"]) == (0, 0, "nothing without a tumour")
    healthy = scored([(False, NONE, NONE), (False, FULL, NONE)]).summary
    assert row(healthy, "detection_sensitivity")["reason"] == "nothing with a tumour"
    assert row(healthy, "lesion_recall")["reason"] == "no lesion above 50 mm³"
    assert row(healthy, "false_positives")["value"] == 1 / 2
    assert row(healthy, "dice")["n_subjects"] == 2


def test_an_unanswered_volume_has_no_count_of_false_lesions() -> None:
    found = row(scored(MIXED).summary, "false_positives")
    assert (found["n_subjects"], found["n_asked"], found["n_answered"]) == (7, 9, 7)
    assert np.isnan(found["value"])
    assert found["reason"].startswith("2 of 9 patients")
    silent = row(scored([(True, SILENT, FULL), (True, SILENT, FULL)]).summary, "false_positives")
    assert (silent["reason"], silent["coverage"]) == ("no answer", 0)


def test_a_patient_with_several_scans_has_the_mean_of_those_that_count() -> None:
    scans = [(True, FULL, FULL), (True, NONE, FULL), (False, NONE, FULL), (True, FULL, FULL)]
    scores = scored(scans, ["X", "X", "X", "Y"])
    found = row(scores.summary, "detection_sensitivity")
    assert (found["value"], found["n_subjects"], found["n_asked"]) == (3 / 4, 2, 3)
    assert not found["interval"].startswith(AGRESTI_COULL)
    found = row(scores.summary, "detection_specificity")
    assert (found["value"], found["n_subjects"], found["n_asked"]) == (1, 1, 1)


def test_a_patient_with_a_silent_scan_has_no_count_of_false_lesions() -> None:
    scores = scored([(True, FULL, FULL), (True, SILENT, FULL), (True, FULL, FULL)], ["X", "X", "Y"])
    found = row(scores.summary, "false_positives")
    assert np.isnan(found["value"])
    assert found["reason"].startswith("1 of 2 patients")


def test_models_are_compared_over_the_patients_that_count() -> None:
    table = compare_models(scored(MIXED), bootstrap=Bootstrap(resamples=100))
    volumes = table[table["plane"] == "volume"].set_index("metric")
    assert volumes["n_subjects"][["dice", "detection_sensitivity", "detection_specificity"]].tolist() == [9, 4, 5]
    assert volumes["difference"]["detection_sensitivity"] == 2 / 4 - 3 / 4
    assert "false_positives" not in volumes.index  # `a` is silent about two patients
    assert set(volumes["left_out"]) == {""}
    alike = compare_models(scored([(True, FULL, NONE), (True, NONE, FULL)]), bootstrap=Bootstrap(resamples=100))
    assert "detection_specificity" not in set(alike.loc[alike["plane"] == "volume", "metric"])
    assert not math.isnan(alike["difference"].iloc[0])
