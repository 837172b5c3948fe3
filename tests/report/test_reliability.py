"""The reliability diagram stands for models with probabilities only."""

from dataclasses import replace

from gliobench.report.contents import ReportContents
from gliobench.report.page import render_page
from gliobench.report.reliability import draw_reliability
from gliobench.report.tables import task_table


def test_only_models_with_a_brier_score_have_a_diagram(contents: ReportContents) -> None:
    drawn = draw_reliability(contents, ["classifier", "tiny-mllama-untrained", "majority-grade"])
    assert [(model, plane) for model, plane, _ in drawn] == [("classifier", "volume"), ("majority-grade", "volume")]
    assert ">4</text>" in drawn[1][2], "all 4 patients got the same probability: one bin, with their number"


def test_the_page_has_the_section_only_where_there_is_something_to_show(contents: ReportContents) -> None:
    page = render_page(contents)
    assert page.count('id="reliability"') == 1
    assert "1 is best" in page
    without = contents.summary[contents.summary["metric"] != "brier"]
    assert 'id="reliability"' not in render_page(replace(contents, summary=without))


def test_a_brier_score_is_better_when_less_and_a_slope_when_one(contents: ReportContents) -> None:
    summary = contents.summary.copy()
    one = (summary["model"] == "classifier") & (summary["metric"] == "calibration_slope")
    summary.loc[one, ["value", "low", "high"]] = (1.7, -0.2, 3.1)
    table = task_table(replace(contents, summary=summary), "grade")
    better = {column.metric: column.better for column in table.columns}
    assert (better["auc"], better["brier"], better["calibration_slope"]) == ("higher", "lower", "1")
    slope = list(better).index("calibration_slope")
    (cell,) = next(row for row in table.rows if row.model == "classifier").cells[slope]
    assert (cell.value, cell.interval, cell.bar) == ("1.70", "-0.20 to 3.10", None)
