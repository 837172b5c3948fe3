"""The reliability diagram stands for models with probabilities only."""

from dataclasses import replace

import pandas as pd

from gliobench.report.contents import ReportContents
from gliobench.report.page import render_page
from gliobench.report.reliability import draw_reliability
from gliobench.report.tables import task_table


def with_probabilities(contents: ReportContents) -> ReportContents:
    """As where `study-classifier` gives a probability for each patient."""
    like = contents.summary[
        (contents.summary["model"] == "study-classifier") & (contents.summary["metric"] == "accuracy")
    ]
    rows = [
        like.assign(metric=metric, value=value, low=low, high=high)
        for metric, value, low, high in (("brier", 0.2, 0.1, 0.3), ("calibration_slope", 1.7, -0.2, 3.1))
    ]
    return replace(contents, summary=pd.concat([contents.summary, *rows], ignore_index=True))


def test_only_models_with_a_brier_score_have_a_diagram(contents: ReportContents) -> None:
    models = ["study-classifier", "tiny-mllama", "majority-grade"]
    assert draw_reliability(contents, models) == []
    ((model, plane, drawing),) = draw_reliability(with_probabilities(contents), models)
    assert (model, plane) == ("study-classifier", "volume")
    assert ">11</text>" in drawing, "all 11 patients got 0.5: one bin, with their number"


def test_the_page_has_the_section_only_where_there_is_something_to_show(contents: ReportContents) -> None:
    assert 'id="reliability"' not in render_page(contents)
    page = render_page(with_probabilities(contents))
    assert page.count('id="reliability"') == 1
    assert "1 is best" in page


def test_a_brier_score_is_better_when_less_and_a_slope_when_one(contents: ReportContents) -> None:
    table = task_table(with_probabilities(contents), "grade")
    assert {column.metric: column.better for column in table.columns if column.metric in ("brier", "auc")} == {
        "auc": "higher",
        "brier": "lower",
    }
    slope = next(place for place, column in enumerate(table.columns) if column.metric == "calibration_slope")
    assert table.columns[slope].better == "1"
    (cell,) = next(row for row in table.rows if row.model == "study-classifier").cells[slope]
    assert (cell.value, cell.interval, cell.bar) == ("1.70", "-0.20 to 3.10", None)
