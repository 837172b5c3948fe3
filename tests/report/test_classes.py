"""What the report shows of three classes, from a small table of votes."""

import re

import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA, NODULES
from gliobench.report import words
from gliobench.report.confusion import confusions
from gliobench.report.contents import Part, ReportContents, Said, Sample
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page
from gliobench.report.reliability import draw_reliability
from gliobench.report.samples import sample_lines, sample_title
from gliobench.report.votes import draw_votes, outcomes
from gliobench.scoring.intervals import Bootstrap
from gliobench.scoring.score import SubjectScores, VoteRow
from gliobench.scoring.summary import summarise
from gliobench.scoring.votes import GradedPatient, Votes, most_votes

# By patient: the true class, the votes for each, for none and unanswered, and the probabilities.
PATIENTS = (
    (0, (3, 1, 0), 0, 0, (0.7, 0.2, 0.1)),
    (0, (0, 2, 1), 1, 0, (0.3, 0.4, 0.3)),
    (1, (0, 4, 0), 0, 0, (0.1, 0.8, 0.1)),
    (1, (0, 1, 0), 0, 3, None),
    (2, (0, 0, 4), 0, 0, (0.0, 0.1, 0.9)),
    (2, (0, 1, 1), 2, 0, (0.2, 0.4, 0.4)),
)


@pytest.fixture(scope="module")
def contents() -> ReportContents:
    rows = []
    for number, (truth, counts, none, unanswered, given) in enumerate(PATIENTS):
        votes = Votes(counts, none, unanswered, given)
        one = GradedPatient(truth, most_votes(votes), votes)
        name = f"P{number}"
        rows.append(VoteRow("m", "axial", name, name, truth, one.votes, one.predicted, problem=NODULES))
    scores = summarise([SubjectScores((), tuple(rows))], Bootstrap(resamples=50))
    return ReportContents(
        *("Nodules", "nodules", "cohort", [Part("test", 6, (2, 2, 2))]),
        *(scores.summary, scores.per_subject, scores.votes, frozenset()),
        region="whole nodule",
        problem=NODULES,
    )


def test_a_confusion_matrix_by_hand(contents: ReportContents) -> None:
    (one,) = confusions(contents, ["m"])
    assert one.columns == ("benign", "indeterminate", "malignant", "none or unanswered")
    assert [counts for _, counts in one.rows] == [(1, 1, 0, 0), (0, 1, 0, 1), (0, 0, 1, 1)]


def test_nothing_on_the_page_speaks_of_gliomas(contents: ReportContents) -> None:
    page = re.sub(r"<(style|svg).*?</\1>", "", render_page(contents), flags=re.DOTALL)
    for text in (page, write_markdown(contents)):
        assert not re.search(r"LGG|HGG|GLDR|[Gg]lioma|tumour|BraTS|brain", text)
    assert "2 malignant, 2 indeterminate, 2 benign" in page
    assert "called none or unanswered" in write_markdown(contents)
    assert len(words.caveats(contents)) == 1


def test_votes_are_stacked_and_each_class_has_a_reliability_diagram(contents: ReportContents) -> None:
    ((_, _, _, drawn),) = draw_votes(contents, ["m"])
    assert all(f"true {name} (2)" in drawn for name in NODULES.classes)
    named = [one.name for one in outcomes(NODULES)]
    assert named[:5] == [*NODULES.classes, "no nodule", "unanswered"]
    assert len({one.colour for one in outcomes(NODULES)}) == len(named)
    ((_, _, panels),) = draw_reliability(contents, ["m"])
    assert all(f">{name}<" in panels for name in (*NODULES.classes, "the most probable class"))


def test_the_rarest_class_is_named(contents: ReportContents) -> None:
    (found,) = words.findings(contents)
    assert "Its recall of benign is 1 of 2" in found.text
    assert found.text.endswith("always answering another class.")


def test_a_sample_has_a_tally_and_probabilities_of_each_class() -> None:
    said = (Said(3, "Choice: 2", probabilities=(0.1, 0.2, 0.7)),)
    sample = Sample("m", "p1", "grade", "axial", 1, said, Votes((0, 0, 1), 0, 0), None, problem=NODULES)
    assert list(sample_lines(sample))[1:] == [
        "Slice #3 => Choice: 2 || Probabilities: benign 0.100, indeterminate 0.200, malignant 0.700",
        "Tally [benign, indeterminate, malignant, none, unread]: [0, 0, 1, 0, 0]",
        "True Label: indeterminate || Prediction Label: none",
    ]
    assert sample_title(sample) == "m, p1 (axial): true indeterminate, called none"


def test_grades_have_no_confusion_matrix_and_their_own_legend() -> None:
    assert outcomes(GLIOMA)[1].name == "false negative (HGG called LGG)"
    empty = pd.DataFrame()
    assert confusions(ReportContents("t", "s", "c", [], empty, empty, empty, frozenset()), ["m"]) == []
