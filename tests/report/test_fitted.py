"""Training, validation and test figures of networks side by side, and what curves show."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest

from gliobench.report.contents import Fitted, ReportContents
from gliobench.report.curves import draw_curves
from gliobench.report.fitted import FittedRow, fitted_rows

SUMMARY = pd.DataFrame(
    [
        ("net", "mask", "mask", "volume", "dice", 0.5, 0.4, 0.6, 11),
        ("net", "mask", "mask", "volume", "hd95_mm", 9.0, 8.0, 10.0, 11),
        ("net", "box", "mask", "axial", "dice", 0.9, 0.8, 1.0, 11),
        ("other", "mask", "mask", "volume", "dice", 0.1, 0.0, 0.2, 11),
    ],
    columns=["model", "task", "source", "plane", "metric", "value", "low", "high", "n_subjects"],
)


def fitted(fold: int, training: float, validation: float) -> Fitted:
    return Fitted("net", fold, "mask", {"training": {"dice": (training, 30)}, "validation": {"dice": (validation, 4)}})


def rows(contents: ReportContents, found: Sequence[Fitted]) -> list[FittedRow]:
    return fitted_rows(replace(contents, summary=SUMMARY, fitted=found))


def test_one_fold_has_its_test_figure_in_its_row(contents: ReportContents) -> None:
    expected = FittedRow("net", "2", "Dice", "0.95, n 30", "0.75, n 4", "0.50 (0.40 to 0.60), n 11")
    assert rows(contents, [fitted(2, 0.95, 0.75)]) == [expected]


def test_several_folds_share_a_test_figure(contents: ReportContents) -> None:
    found = rows(contents, [fitted(0, 0.9, 0.7), fitted(1, 0.8, math.nan)])
    assert [(row.fold, row.training, row.validation) for row in found] == [
        ("0", "0.90, n 30", "0.70, n 4"),
        ("1", "0.80, n 30", "not defined, n 4"),
        ("all", "–", "–"),
    ]
    assert [row.test for row in found] == ["–", "–", "0.50 (0.40 to 0.60), n 11"]


@pytest.mark.parametrize(("score", "title"), [("accuracy", ">accuracy<"), ("dice", ">Dice<")])
def test_a_networks_curves_show_its_figure_and_an_earlier_versions_the_metric(score: str, title: str) -> None:
    earlier = pd.DataFrame({"epoch": [0, 1], "train_loss": [2.0, 1], "validation_loss": [2.0, 1]})
    earlier["validation_metric"] = [0.1, 0.2]
    now = earlier.assign(**{f"train_{score}": [0.5, 0.9], f"validation_{score}": [0.4, 0.6]})
    ((_, length, drawn),) = draw_curves({"net": now}, {})
    assert length == "2 epochs"
    assert title in drawn
    assert "validation metric" not in drawn
    ((_, _, before),) = draw_curves({"net": earlier}, {})
    assert "validation metric" in before


def test_every_steps_loss_is_drawn_where_it_was_kept() -> None:
    evaluated = pd.DataFrame({"step": [2, 4], "train_loss": [2.0, 1.5], "validation_loss": [1.0, 1.0]})
    evaluated["validation_metric"] = [0.1, 0.2]
    steps = pd.DataFrame({"step": range(1, 5), "train_loss": [1.0, 3.0, 1.0, 2.0]})
    with_steps, without = (draw_curves({"vlm": evaluated}, losses)[0][2] for losses in ({"vlm": steps}, {}))
    assert with_steps.count("<use") - without.count("<use") == 2  # four marks instead of two
