"""Does it look at the image? The sentences claim what the intervals support, and the page shows every figure."""

from dataclasses import replace

import pandas as pd
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import SliceFrame
from gliobench.report.contents import Pretrained, ReportContents
from gliobench.report.controls import control_rows, control_sentences
from gliobench.report.markdown import write_markdown
from gliobench.report.page import render_page
from gliobench.scoring.controls import GAPS, ControlScores, Pair, measure
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.geometry import Grade, Point

HGG, LGG, FAILED = Answered(Grade(1)), Answered(Grade(0)), Malformed("?")
NO_GAPS = pd.DataFrame(columns=list(GAPS))


def said(
    contents: ReportContents, gaps: pd.DataFrame = NO_GAPS, moved: float = 0.0, **answers: list[Answer]
) -> list[str]:
    """The sentences on a model that says HGG of every patient's own image, and `answers` by control."""
    return control_sentences(replace(contents, controls=ControlScores(measure(pairs(moved, **answers)), gaps)))


def pairs(moved: float = 0.0, **answers: list[Answer]) -> list[Pair]:
    return [
        Pair("general", "grade", "axial", control, control == "flipped", f"P{place}", HGG, altered, GLIOMA, moved)
        for control, given in answers.items()
        for place, altered in enumerate(given)
    ]


def test_who_never_changes_an_answer_has_not_looked(contents: ReportContents) -> None:
    (sentence,) = said(contents, blank=[HGG] * 20, other=[HGG] * 20)
    assert sentence.startswith("general, grade: it has not looked at the image")
    assert "20 patients" in sentence
    assert "100 % (88 % to 100 %)" in sentence, "1 - 0.12, Jeffreys's upper end of 0 of 20"


def test_who_moves_its_probabilities_looks_and_answers_as_if_not(contents: ReportContents) -> None:
    (sentence,) = said(contents, moved=0.2, blank=[HGG] * 20, other=[HGG] * 20)
    assert "as if it had not looked" in sentence
    assert "0.20" in sentence


def test_who_differs_by_digits_looks_and_answers_as_if_not(contents: ReportContents) -> None:
    frame = SliceFrame("axial", 10, (20, 40), (1.0, 1.0))
    own, near = Answered(Point(frame, 3, 3)), Answered(Point(frame, 4, 3))
    pairs = [Pair("general", "centre", "axial", "other", False, f"P{place}", own, near, GLIOMA) for place in range(20)]
    (sentence,) = control_sentences(replace(contents, controls=ControlScores(measure(pairs), NO_GAPS)))
    assert "as if it had not looked" in sentence
    assert "20 of them differ a little" in sentence


def test_who_changes_for_a_blank_image_alone_does_not_care_whose_image_it_is(contents: ReportContents) -> None:
    (sentence,) = said(contents, blank=[LGG] * 20, other=[HGG] * 20)
    assert "do not depend on whose image it is" in sentence


@pytest.mark.parametrize("other", [[LGG] * 20, [HGG] * 10 + [LGG] * 10, [FAILED] * 20])
def test_nothing_is_claimed_of_answers_that_change_or_fail(contents: ReportContents, other: list[Answer]) -> None:
    (sentence,) = said(contents, blank=other, other=other)
    assert sentence.startswith("No model was found")


def test_few_patients_are_too_few(contents: ReportContents) -> None:
    (sentence,) = said(contents, other=[HGG] * 3)
    assert "too few patients (3)" in sentence


def test_the_class_of_a_mirror_image_is_no_evidence(contents: ReportContents) -> None:
    assert said(contents, flipped=[HGG] * 20) == []


def test_better_on_own_images_is_said_where_it_is_shown(contents: ReportContents) -> None:
    row = {
        "model": "general",
        "task": "box",
        "plane": "axial",
        "control": "flipped",
        "metric": "dice",
        "n_subjects": 20,
    }
    row |= {"own": 0.6, "altered": 0.2, "difference": 0.4, "low": 0.2, "high": 0.5, "p": 0.01, "p_holm": 0.01}
    for shown, difference, count in ((True, 0.4, 1), (False, 0.4, 0), (True, -0.4, 0)):
        gaps = pd.DataFrame([{**row, "difference": difference, "shown": shown}]).reindex(columns=list(GAPS))
        found = [one for one in said(contents, gaps, other=[LGG] * 20) if "mirror images" in one]
        assert len(found) == count


def test_page_and_markdown_show_every_outcome_and_who_has_been_seen(contents: ReportContents) -> None:
    figures = measure(pairs(other=[HGG, LGG, LGG, FAILED]))
    seen = Pretrained("general", "org/model", "2 patients by id", ("P1",))
    shown = replace(contents, controls=ControlScores(figures, NO_GAPS), checkpoints=(seen,))
    (row,) = control_rows(shown)
    assert [one.split(" (")[0] for one in row.outcomes] == ["25 %", "50 %", "25 %"]
    page, text = render_page(shown), write_markdown(shown)
    assert '<section id="controls">' in page
    assert '<section id="checkpoints">' in page
    for share in (*row.outcomes, "org/model"):
        assert share in page
        assert share in text
    assert '<section id="controls">' not in render_page(contents)
