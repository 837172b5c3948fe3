"""Settings beside each other as a reader sees them."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from gliobench.report.contents import PartFigure, ReportContents, Setting, Settings
from gliobench.report.markdown import write_markdown
from gliobench.report.settings import scored_figures, setting_text, settings_tables

TRIED = Settings(
    "Every setting of net",
    "Words.",
    [
        Setting("0", {"learning_rate": 1e-4, "epochs": 50}, {}, note="diverged"),
        Setting(
            "1",
            {"learning_rate": 4e-7, "epochs": 200, "seed": 1},
            {
                "training": {"dice": PartFigure(0.95, 30), "hd95_mm": PartFigure(3.04, 30)},
                "test": {"dice": PartFigure(0.5, 11, 0.4, 0.6), "auc": PartFigure(math.nan, 11)},
            },
            chosen=True,
        ),
    ],
)


def test_columns_are_those_that_any_setting_has_and_what_is_missing_is_seen(contents: ReportContents) -> None:
    (table,) = settings_tables(replace(contents, settings=[TRIED]))
    assert table.keys == ("learning rate", "epochs", "seed")
    assert table.groups == (("Dice", ("training", "test")), ("HD95", ("training",)), ("AUC", ("test",)))
    diverged, chosen = table.rows
    assert (diverged.values, diverged.note, diverged.chosen) == (("1e-4", "50", "–"), "diverged", False)
    assert {cell.line for cell in diverged.cells} == {"–"}
    assert chosen.values == ("4e-7", "200", "1")
    assert [cell.line for cell in chosen.cells] == [
        "0.95, n 30",
        "0.50 (0.40 to 0.60), n 11",
        "3.0 mm, n 30",
        "not defined, n 11",
    ]


def test_markdown_marks_the_chosen_one(contents: ReportContents) -> None:
    lines = write_markdown(replace(contents, settings=[TRIED])).splitlines()
    place = lines.index("## Every setting of net")
    assert lines[place + 4] == (
        "| setting | learning rate | epochs | seed | Dice, training | Dice, test | HD95, training | AUC, test |"
    )
    assert lines[place + 7].startswith("| 1, chosen | 4e-7 | 200 | 1 | 0.95, n 30 |")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4e-7, "4e-7"),
        (2.5e-5, "2.5e-5"),
        (0.05, "0.05"),
        (0.0, "0"),
        (200, "200"),
        (True, "yes"),
        (None, "–"),
        (("q_proj", "v_proj"), "q_proj, v_proj"),
    ],
)
def test_settings_as_a_study_file_has_them(value: object, text: str) -> None:
    assert setting_text(value) == text


def test_scored_figures_are_of_the_task_that_was_asked() -> None:
    columns = ["model", "task", "source", "plane", "metric", "value", "low", "high", "n_subjects"]
    rows = [
        ("a", "box", source, "axial", "dice", value, 0.1, 0.9, 7) for source, value in (("box", 0.5), ("mask", 0.6))
    ]
    table = pd.DataFrame([*rows, ("b", "box", "box", "axial", "dice", 0.2, 0.1, 0.3, 7)], columns=columns)
    assert scored_figures(table, "a", "box", "axial", ("recall", "dice")) == {"dice": PartFigure(0.5, 7, 0.1, 0.9)}
