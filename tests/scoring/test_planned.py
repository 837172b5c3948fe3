"""Planned comparisons: one Holm family per task, by hand."""

import math

import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.planned import PLANNED, Side, compare_planned
from gliobench.scoring.summary import PER_SUBJECT, Scores, votes_columns

QUICK = Bootstrap(resamples=200)
GENERAL, TUNED, NETWORK = Side("general", "general"), Side("tuned", "fine-tuned"), Side("net", "specialised")


def rows(model: str, task: str, values: list[float], plane: str = "axial") -> list[tuple[object, ...]]:
    """Of the task's own answers, each patient's Dice."""
    return [
        (model, task, task, plane, f"P{n}", f"P{n}", 1, metric, value, 1, 1, 1)
        for n, value in enumerate(values)
        for metric in ("dice", "hd95_mm")
    ]


def tables(*parts: list[tuple[object, ...]]) -> Scores:
    table = pd.DataFrame([row for part in parts for row in part], columns=PER_SUBJECT)
    return Scores(table.astype({"grade": "Int64"}), pd.DataFrame(), pd.DataFrame(columns=votes_columns(GLIOMA)))


def test_holm_is_within_a_task_on_its_first_metric() -> None:
    """Six patients: with all differences of one sign only 2 of 64 swaps are as large; one of the six against it and
    smallest, 4 of 64."""
    low, high, mixed = [0.1] * 6, [0.6, 0.7, 0.8, 0.9, 0.65, 0.75], [0.6, 0.7, 0.8, 0.9, 0.65, 0.05]
    made = tables(
        *(rows("general", task, low) for task in ("box", "polygon")),
        *(rows("tuned", task, high) for task in ("box", "polygon")),
        rows("net", "box", mixed),
    )
    planned = {"box": [(TUNED, GENERAL), (NETWORK, GENERAL)], "polygon": [(TUNED, GENERAL)], "centre": []}
    found = compare_planned(made, planned, QUICK)
    assert tuple(found.columns) == PLANNED
    assert set(found["metric"]) == {"dice"}
    assert found["task"].tolist() == ["box", "box", "polygon"]
    assert found[["camp_a", "camp_b"]].to_numpy().tolist()[:2] == [
        ["fine-tuned", "general"],
        ["specialised", "general"],
    ]
    assert found["p"].tolist() == pytest.approx([2 / 64, 4 / 64, 2 / 64])
    # Holm: of two, the smaller p twice, then the larger once; the polygon alone is not corrected.
    assert found["p_holm"].tolist() == pytest.approx([4 / 64, 4 / 64, 2 / 64])


def test_planes_are_of_one_family() -> None:
    low, high = [0.1] * 6, [0.6, 0.7, 0.8, 0.9, 0.65, 0.75]
    planes = ("axial", "coronal")
    made = tables(
        *(rows("general", "box", low, plane) for plane in planes),
        *(rows("tuned", "box", high, plane) for plane in planes),
    )
    found = compare_planned(made, {"box": [(TUNED, GENERAL)]}, QUICK)
    assert found["plane"].tolist() == ["axial", "coronal"]
    assert found["p_holm"].tolist() == pytest.approx([4 / 64, 4 / 64])


def test_twice_the_patients_see_smaller_differences() -> None:
    made = tables(rows("general", "box", [0.1, 0.2, 0.3]), rows("tuned", "box", [0.4, 0.3, 0.5]))
    (row,) = compare_planned(made, {"box": [(TUNED, GENERAL)]}, QUICK).to_dict("records")
    assert row["detectable_with_twice"] == pytest.approx(row["smallest_detectable"] / math.sqrt(2))


def test_models_without_common_patients_have_no_row() -> None:
    made = tables(rows("general", "box", [0.1, 0.2]))
    assert compare_planned(made, {"box": [(TUNED, GENERAL)]}, QUICK).empty
