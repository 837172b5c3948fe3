"""A patient's answers as text: the form of the reference study, which is read again, and the patients chosen."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from gliobench.replay.read import read_external
from gliobench.replay.standard import read_answer
from gliobench.report.contents import ReportContents, Said, Sample
from gliobench.report.page import render_page
from gliobench.report.samples import sample_lines, sample_subjects
from gliobench.scoring.votes import Votes, count_votes

GRADES = Sample(
    "llama",
    "p1",
    "grade",
    "axial",
    1,
    (
        Said(3, "Choice: 1\nReasoning: a <mass>"),
        Said(6, "Choice: 0", score=0.25),
        Said(9, "I cannot\x1b[2J say", "malformed"),
        Said(12, "", "missing"),
    ),
    Votes((1, 1), 0, 2),
    0,
)


def test_grades_are_printed_as_the_reference_study_prints_them() -> None:
    assert list(sample_lines(GRADES)) == [
        "llama, p1: grade, axial",
        "Slice #3 => Choice: 1 || Reasoning: a <mass>",
        "Slice #6 => Choice: 0 || Probability of HGG: 0.250",
        r"Slice #9 => ERROR: Unknown >> I cannot\x1b[2J say",
        "Slice #12 => ERROR: Unknown >> ",
        "Tally [LGG, HGG, none, unread]: [1, 1, 0, 2] (1 malformed, 1 missing)",
        "True Label: HGG || Prediction Label: LGG",
    ]


def test_what_was_printed_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "patient_1.txt").write_text("\n".join(sample_lines(GRADES)) + "\n")
    external = read_external(tmp_path, "grade")
    assert count_votes([read_answer(external, answer) for answer in external.answers]) == GRADES.votes
    assert [answer.frame.index for answer in external.answers] == [3, 6, 9, 12]
    (tally,) = external.tallies.values()
    assert tally == Votes((1, 1), 0, 2)


def test_a_files_own_tally_stands_beside_where_it_differs() -> None:
    lines = list(sample_lines(replace(GRADES, tally=(0, 1, 0, 3), grade=None, called=None)))
    assert lines[-2:] == ["In the file itself: [0, 1, 0, 3]", "True Label: unknown || Prediction Label: none"]
    assert len(list(sample_lines(replace(GRADES, tally=(1, 1, 0, 2))))) == 7


def test_a_grade_of_a_whole_patient_has_no_tally() -> None:
    whole = Sample(
        "cnn", "p1", "grade", None, 0, (Said(None, "Choice: 0", score=0.1),), Votes((1, 0), 0, 0, (0.9, 0.1)), 0
    )
    assert list(sample_lines(whole)) == [
        "cnn, p1: grade, whole patient",
        "Whole patient => Choice: 0 || Probability of HGG: 0.100",
        "True Label: LGG || Prediction Label: LGG",
    ]


def test_places_stand_beside_their_truth() -> None:
    said = (Said(4, "(66, 73)", "", "(40, 100)"), Said(5, "none to see", "malformed", "none"))
    assert list(sample_lines(Sample("llama", "p1", "centre", "coronal", None, said))) == [
        "llama, p1: centre, coronal",
        "Slice #4 => Ground truth: (40, 100) || Model output: (66, 73)",
        "Slice #5 => Ground truth: none || Model output, malformed: none to see",
        "Answered: 1 of 2 (1 malformed)",
    ]


def test_the_first_wrong_and_the_first_right_patient_are_chosen() -> None:
    votes = pd.DataFrame(
        [
            ("a", "axial", "p4", 1, 1),
            ("a", "axial", "p3", 0, 1),
            ("a", "axial", "p2", 1, None),
            ("a", "axial", "p5", 0, 0),
            ("a", "axial", "p1", None, 1),  # nobody knows
            ("a", "coronal", "p0", 1, 1),
            ("b", "axial", "p0", 1, 1),
        ],
        columns=["model", "plane", "subject", "grade", "predicted"],
    )
    assert sample_subjects(votes, "a", "axial") == ["p2", "p4"], "no call is no right one"
    assert sample_subjects(votes, "b", "axial") == ["p0"]
    assert sample_subjects(votes, "c", "axial") == []


def test_the_report_shows_them_escaped_and_cuts_long_ones(contents: ReportContents) -> None:
    assert "Sample answers" not in render_page(replace(contents, samples=[]))
    page = render_page(replace(contents, samples=[replace(GRADES, said=(*GRADES.said, Said(15, "x" * 500)))]))
    assert "<summary>llama, p1 (axial): true HGG, called LGG</summary>" in page
    assert "Slice #3 =&gt; Choice: 1 || Reasoning: a &lt;mass&gt;\n" in page
    assert f"Slice #15 =&gt; {'x' * (199 - len('Slice #15 => '))}…\n" in page


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b", "a\vb"])
def test_an_answer_stays_on_its_line(text: str) -> None:
    assert len("\n".join(sample_lines(replace(GRADES, said=(Said(0, text),)))).splitlines()) == 4
