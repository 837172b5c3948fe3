"""The page as a reader gets it: whole, alone, escaped, and the same every time."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliobench.models.base.calibration import ENOUGH
from gliobench.report.contents import ReportContents
from gliobench.report.page import render_page, write_report
from gliobench.scoring.calibration import NO_SPREAD

VOID = {"meta", "br", "image", "use", "path", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Notes tags left open, sections, and every address that is neither inside the page nor in the text itself."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sections: list[str] = []
        self.outside: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        ids = [value or "" for name, value in attributes if name == "id"]
        self.ids += ids
        self.sections += ids if tag == "section" else []
        for name, value in attributes:
            if name in ("href", "src", "xlink:href", "action", "data") and not (value or "").startswith(("#", "data:")):
                self.outside.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag, f"</{tag}> does not close what is open"


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    return parser


@pytest.fixture(scope="module")
def page(contents: ReportContents) -> str:
    return render_page(contents)


def test_the_page_is_whole_and_in_order(page: str) -> None:
    found = outline(page)
    assert found.open == []
    assert found.sections == [
        *("camps", "comparison", "pairs", "figures", "votes", "reliability", "decision", "distributions", "hard"),
        *("training", "gallery", "outlines", "flow", "left-out", "caveats", "provenance"),
    ]


def test_the_page_stands_alone(page: str) -> None:
    found = outline(page)
    assert found.outside == []
    assert not {"script", "link", "iframe", "object"} & set(found.tags)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert len(page.encode()) < 5_000_000


def test_ids_are_unique_or_the_same_drawing(page: str) -> None:
    ids = outline(page).ids
    assert len(ids) == len(set(ids))


def test_every_model_and_its_n_is_there(page: str, contents: ReportContents) -> None:
    for model in set(contents.summary["model"]):
        assert f'<th scope="row">{model}' in page
    assert "n 4 · 100 %" in page
    assert "n 4 · 0 %" in page
    assert ">oracle<" in page
    assert "region: radiomics looks where the true tumour is" in page
    assert "from mask" in page


def test_the_same_contents_give_the_same_bytes(contents: ReportContents, tmp_path: Path) -> None:
    first = write_report(contents, tmp_path / "first")
    write_report(contents, tmp_path / "second")
    assert first == tmp_path / "first" / "report.html"
    names = sorted(path.name for path in first.parent.iterdir())
    tables = {"comparisons.csv", "planned_comparisons.csv", "per_subject.csv", "summary.csv", "votes.csv"}
    assert {*names} == tables | {"decision_curve.csv", "flow.svg", "paper.json", "report.html", "report.md"}
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_csv_keeps_every_digit(contents: ReportContents, tmp_path: Path) -> None:
    write_report(contents, tmp_path)
    again = pd.read_csv(tmp_path / "summary.csv")
    assert list(again.columns) == list(contents.summary.columns)
    np.testing.assert_array_equal(again["value"].to_numpy(), contents.summary["value"].to_numpy())


def test_names_and_faults_are_escaped_everywhere(contents: ReportContents, tmp_path: Path) -> None:
    bad = "<script>alert('$x$')</script>"

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(model=table["model"].replace({"tiny-mllama-untrained": bad, "segmenter": "a|b*_$c$"}))

    hurt = replace(
        contents,
        summary=renamed(contents.summary),
        per_subject=renamed(contents.per_subject),
        votes=renamed(contents.votes),
        curves={bad: contents.curves["segmenter, fold 0"]},
        gallery=[replace(item, answers={bad: None}) for item in contents.gallery],
        notes=[bad],
        provenance={bad: bad},
        marks={bad: bad},
        title=bad,
    )
    found = outline(write_report(hurt, tmp_path).read_text(encoding="utf-8"))
    assert "script" not in found.tags
    assert found.open == []
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "a\\|b\\*\\_$c$" in text


def test_a_network_with_few_validation_patients_is_said_not_to_be_calibrated(contents: ReportContents) -> None:
    (note,) = [note for note in contents.notes if note.startswith("classifier, fold 0: ")]
    assert "not calibrated" in note
    assert f"{ENOUGH} of each grade" in note


def test_what_is_not_defined_says_why(page: str, contents: ReportContents) -> None:
    assert f'not defined</span><span class="why">{NO_SPREAD}' in page, "of majority-grade"
    one = contents.summary["metric"] == "accuracy"
    hurt = contents.summary.copy()
    hurt.loc[one, ["low", "high"]] = np.nan
    hurt.loc[one, "reason"] = "n=1"
    assert "interval not defined: n=1" in render_page(replace(contents, summary=hurt))


def test_a_study_of_baselines_alone_has_its_page(contents: ReportContents) -> None:
    def kept(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["model"].isin(contents.baselines)]

    page = render_page(
        replace(
            contents,
            summary=kept(contents.summary),
            per_subject=kept(contents.per_subject),
            votes=kept(contents.votes).iloc[:0],
            comparisons=None,
            curves={},
            fitted=(),
            gallery=(),
            faults=(),
            oracles=(),
        )
    )
    assert outline(page).open == []
    assert set(re.findall(r'class="verdict (\w+)"', page)) == {"alone"}
    assert 'class="oracle"' not in page


def test_an_empty_summary_is_an_error(contents: ReportContents, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="summary"):
        write_report(replace(contents, summary=contents.summary.iloc[:0]), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_drawing_leaves_matplotlib_as_it_was(contents: ReportContents) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_page(contents)
    assert dict(matplotlib.rcParams) == before
