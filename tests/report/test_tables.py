"""The tables: who stands where, and what a cell says."""

from dataclasses import replace

import pandas as pd

from gliobench.report import metrics
from gliobench.report.contents import ReportContents
from gliobench.report.tables import first_table, ranked_models, task_table


def test_models_stand_best_first_and_before_baselines(contents: ReportContents) -> None:
    assert ranked_models(contents)[:3] == ["study-classifier", "study-segmenter", "tiny-mllama"]
    assert set(ranked_models(contents)[3:]) == contents.baselines


def test_a_task_table_stands_best_first_by_its_first_metric(contents: ReportContents) -> None:
    table = task_table(contents, "mask")
    assert [(row.model, row.source) for row in table.rows] == [
        ("study-segmenter", ""),
        ("flair-blob", ""),
        ("mean-box", "box"),
        ("empty", ""),
    ]
    assert [(column.title, column.unit, column.better) for column in table.columns] == [
        ("Dice", "", "higher"),
        ("HD95", "mm", "lower"),
    ]


def test_the_first_table_takes_the_direct_answer_and_marks_the_others(contents: ReportContents) -> None:
    table = first_table(contents)
    place = [(column.task, column.metric) for column in table.columns].index(("centre", "distance_to_centre_mm"))
    cells = {row.model: row.cells[place] for row in table.rows}
    assert [cell.origin for cell in cells["tiny-mllama"]] == [""]
    assert [cell.origin for cell in cells["study-segmenter"]] == ["from mask"]
    assert cells["study-classifier"] == ()


def test_planes_are_named_where_there_are_several(contents: ReportContents) -> None:
    axial = contents.summary[contents.summary["model"] == "tiny-mllama"]
    table = first_table(replace(contents, summary=pd.concat([contents.summary, axial.assign(plane="coronal")])))
    row = next(row for row in table.rows if row.model == "tiny-mllama")
    assert [cell.origin for cell in row.cells[0]] == ["axial", "coronal"]


def test_the_tick_is_the_best_trivial_baseline(contents: ReportContents) -> None:
    table = first_table(contents)
    box = [column.task for column in table.columns].index("box")
    ticks = {cell.bar.baseline for row in table.rows for cell in row.cells[box] if cell.bar}
    summary = contents.summary
    trivial = summary[(summary["task"] == "box") & summary["model"].isin(sorted(contents.baselines))]
    assert ticks == {trivial["value"].max()}


def test_masks_are_compared_as_volumes(contents: ReportContents) -> None:
    slices = contents.summary[contents.summary["task"] == "mask"].assign(plane="axial")
    both = pd.concat([slices, contents.summary])
    assert set(metrics.nearest(both, "mask", "dice")["plane"]) == {"volume"}


def test_a_task_without_its_primary_metric_still_has_a_column(contents: ReportContents) -> None:
    other = contents.summary[contents.summary["metric"] == "specificity"]
    assert metrics.columns_of(other) == [("grade", "specificity")]
