"""The tables: who stands where, and what a cell says."""

from dataclasses import replace

import pandas as pd

from gliobench.report import metrics
from gliobench.report.contents import ReportContents
from gliobench.report.tables import first_table, ranked_models, task_table


def test_models_stand_best_first_and_before_baselines(contents: ReportContents) -> None:
    *models, last = ranked_models(contents)[:4]
    assert set(models) == {"classifier", "segmenter", "radiomics"}
    assert last == "tiny-mllama-untrained", "it answered nothing"
    assert set(ranked_models(contents)[4:]) == contents.baselines


def test_a_task_table_stands_best_first_by_its_first_metric(contents: ReportContents) -> None:
    table = task_table(contents, "mask")
    dice = [float(row.cells[0][0].value) for row in table.rows]
    assert dice == sorted(dice, reverse=True)
    assert dice[0] > 0.5
    assert {(row.model, row.source) for row in table.rows[:3]} == {
        ("segmenter", ""),
        ("flair-blob", ""),
        ("mean-box", "box"),
    }
    columns = [(column.title, column.unit, column.better) for column in table.columns]
    assert (columns[0], columns[1]) == (("Dice", "", "higher"), ("HD95", "mm", "lower"))


def test_the_first_table_takes_the_direct_answer_and_marks_the_others(contents: ReportContents) -> None:
    table = first_table(contents)
    place = [(column.task, column.metric) for column in table.columns].index(("centre", "distance_to_centre_mm"))
    cells = {row.model: row.cells[place] for row in table.rows}
    assert [cell.origin for cell in cells["tiny-mllama-untrained"]] == [""]
    assert [cell.origin for cell in cells["segmenter"]] == ["from mask"]
    assert cells["classifier"] == ()


def test_planes_are_named_where_there_are_several(contents: ReportContents) -> None:
    axial = contents.summary[contents.summary["model"] == "tiny-mllama-untrained"]
    table = first_table(replace(contents, summary=pd.concat([contents.summary, axial.assign(plane="coronal")])))
    row = next(row for row in table.rows if row.model == "tiny-mllama-untrained")
    assert [cell.origin for cell in row.cells[0]] == ["axial", "coronal"]


def test_the_tick_is_the_best_trivial_baseline(contents: ReportContents) -> None:
    table = first_table(contents)
    box = [column.task for column in table.columns].index("box")
    ticks = {cell.bar.baseline for row in table.rows for cell in row.cells[box] if cell.bar}
    summary = contents.summary
    dice = summary[(summary["task"] == "box") & (summary["metric"] == "dice")]
    trivial = dice[dice["model"].isin(sorted(contents.baselines))]
    assert ticks == {trivial["value"].max()}


def test_masks_are_compared_as_volumes(contents: ReportContents) -> None:
    slices = contents.summary[contents.summary["task"] == "mask"].assign(plane="axial")
    both = pd.concat([slices, contents.summary])
    assert set(metrics.nearest(both, "mask", "dice")["plane"]) == {"volume"}


def test_a_task_without_its_primary_metric_still_has_a_column(contents: ReportContents) -> None:
    grade = contents.summary[contents.summary["task"] == "grade"]
    other = grade[grade["metric"] == "specificity"]
    assert metrics.columns_of(other) == [("grade", "specificity")]
