"""Repeated answers on the page: the table says what was counted, with the sampling settings beside it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.report.consistency import ConsistencyCell, consistency_tables
from gliobench.report.contents import ReportContents
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page, write_report
from gliobench.scoring.consistency import Repeated, measure
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.geometry import Grade, Point

FRAME = SliceFrame("axial", 31, (64, 64), (1.0, 1.0))
LGG, HGG, NONE = Answered(Grade(0)), Answered(Grade(1)), Malformed("?")


@pytest.fixture
def repeated(contents: ReportContents) -> ReportContents:
    """The reference study's two images, and a greedy model."""
    answers = {("general", "BraTS_001"): [HGG] * 95, ("general", "BraTS_002"): [HGG] * 77 + [LGG] * 18}
    answers |= {("greedy", "BraTS_001"): [HGG], ("greedy", "BraTS_002"): [NONE]}
    grades = {"BraTS_001": 1, "BraTS_002": 0}
    inputs = [
        Repeated(model, "grade", subject, grades[subject], FRAME, tuple(said), model != "greedy", subject)
        for (model, subject), said in answers.items()
    ]
    sampling = {"general": "temperature 1.5, top_p 1, min_p 0.1, seed 0", "greedy": "greedy (temperature 0)"}
    return replace(contents, consistency=measure(inputs), sampling=sampling)


def test_every_input_has_a_row_below_all_of_a_model(repeated: ReportContents) -> None:
    (table,) = consistency_tables(repeated)
    assert [(row.model, row.where, row.asked, row.answers) for row in table.rows] == [
        ("general", "all 2 slices", 190, ""),
        ("general", "BraTS_001 (HGG), axial 31", 95, "95 HGG"),
        ("general", "BraTS_002 (LGG), axial 31", 95, "77 HGG, 18 LGG"),
        ("greedy", "all 2 slices", 2, ""),
        ("greedy", "BraTS_001 (HGG), axial 31", 1, "1 HGG"),
        ("greedy", "BraTS_002 (LGG), axial 31", 1, "1 unanswered"),
    ]
    flips = table.titles.index("flip rate")
    assert table.rows[2].cells[flips] == ConsistencyCell("0.19", "0.12 to 0.28", "")
    assert table.rows[4].cells[flips] == ConsistencyCell("0.00", "", "one answer by construction")
    assert table.rows[0].sampling == "temperature 1.5, top_p 1, min_p 0.1, seed 0"


def test_page_and_markdown_show_the_section_with_the_settings(repeated: ReportContents) -> None:
    page, text = render_page(repeated), write_markdown(repeated)
    assert '<section id="consistency">' in page
    assert "77 HGG, 18 LGG" in page
    assert page.count("temperature 1.5, top_p 1, min_p 0.1, seed 0") == 2, "beside the table and beside the plot"
    assert "77 HGG, 18 LGG" in text


def test_nothing_is_shown_where_nothing_was_asked_twice(contents: ReportContents) -> None:
    assert '<section id="consistency">' not in render_page(contents)
    assert consistency_tables(contents) == []


def test_places_are_drawn_with_their_distances(contents: ReportContents) -> None:
    points = tuple(Answered(Point(FRAME, row, 9)) for row in (1, 1, 4))
    measured = measure([Repeated("pointer", "centre", "a<b", 0, FRAME, (*points, NONE), True, "a<b")])
    page = render_page(replace(contents, consistency=measured))
    assert "to the medoid (mm)" in page
    assert "a<b" not in page
    (table,) = consistency_tables(replace(contents, consistency=measured))
    (row,) = table.rows
    assert (row.where, row.answers) == ("a<b (LGG), axial 31", "2 (1, 9), 1 (4, 9), 1 unanswered")
    assert row.cells[table.titles.index("spread, mm")].value == "0.0"


def test_the_tables_are_written_beside_the_page(repeated: ReportContents, tmp_path: Path) -> None:
    write_report(repeated, tmp_path)
    assert (tmp_path / "consistency_answers.csv").read_text().count("\n") == 6, "a heading, 1 + 2 + 1 + 1 answers"
