"""The flow of patients as a drawing: every count in it, narrow, and a file that is valid XML."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from gliobench.report.contents import Flow, FlowFold, Part, ReportContents
from gliobench.report.flow import WIDTH, draw_flow, flow_file
from gliobench.report.page import render_page, write_report

LONG = "no image flair in this folder, where every other patient has one & <nothing> else is missing"
FLOW = Flow("patients", 12, ((LONG, 2), ("no mask", 1)), 1, (FlowFold(0, 4, 1, 3), FlowFold(1, 3, 2, 3)))


def texts(svg: str) -> list[str]:
    return [str(element.text) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_every_count_stands_in_the_drawing(contents: ReportContents) -> None:
    parts = [Part("training", 7, (3, 4)), Part("test", 6, (2, 4))]
    drawn = texts(str(draw_flow(replace(contents, flow=FLOW, parts=parts))))
    whole = " ".join(drawn)
    assert drawn[:2] == ["12 patients found", "3 left out"]
    assert f"2: {LONG} 1: no mask 9 prepared 1 in no part of the split" in whole
    assert "fold 0: 4 training, 1 validation, 3 test fold 1: 3 training, 2 validation, 3 test" in whole
    assert drawn[-1] == "6 patients tested: 4 HGG, 2 LGG"


def test_text_stays_inside_a_phone(contents: ReportContents) -> None:
    svg = str(draw_flow(replace(contents, flow=FLOW)))
    assert re.search(r'viewBox="0 0 (\d+) ', svg)[1] == str(WIDTH)  # type: ignore[index]
    for x, text in re.findall(r'<text x="([\d.]+)"[^>]*>([^<]*)<', svg):
        assert float(x) + 6.5 * len(text) < WIDTH, text  # of DejaVu Sans, a wide font, a letter of 13 px has 7 at most


def test_the_file_is_the_drawing_with_colours_for_light_and_dark(contents: ReportContents, tmp_path: Path) -> None:
    shown = replace(contents, flow=FLOW)
    write_report(shown, tmp_path)
    written = (tmp_path / "flow.svg").read_text(encoding="utf-8")
    assert written == flow_file(shown)
    assert texts(written) == texts(str(draw_flow(shown)))
    assert "prefers-color-scheme: dark" in written
    assert 'id="flow"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_where_the_flow_is_not_known_nothing_is_drawn(contents: ReportContents) -> None:
    assert 'id="flow"' not in render_page(replace(contents, flow=None))
