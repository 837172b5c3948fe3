"""Grades that a text gives or only mentions, and the many ways to say that nothing is there."""

import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.geometry import Box, Grade, Point, Polygon
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (128, 128), (1.0, 1.0))


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Low-grade features are absent; high-grade glioma.", 1),
        (r"\boxed{1}", 1),
        (r"The answer is $\boxed{\text{LGG}}$.", 0),
        ('{"grade": "HGG"}', 1),
        ("Grade: low-grade glioma", 0),
        ("Antwort: 1", 1),
        ("Réponse : 0", 0),
        ("Respuesta: **1**", 1),
        ("答案：1", 1),
        ("Ответ: 0", 0),
        ("Choice: 1 (90% confidence)", 1),
        ("No tumor is visible in this slice.", 2),
    ],
)
def test_grades_that_are_given(text: str, grade: int) -> None:
    assert TASKS["grade"].parse(text, FRAME, False) == Answered(Grade(grade))


@pytest.mark.parametrize(
    "text",
    [
        "HGG probability: 0.1",
        "LGG likelihood 90%",
        "HGG: 0.2, LGG: 0.8",
        "High-grade glioma: 10 %, low-grade glioma: 90 %",
        "answer: 1 cm lesion, low grade",
        "Answer: 2 lesions seen",
        "Class 1 mm",
        "grade: 1",
        "WHO grade 1",
        "answer: 0.1",
    ],
)
def test_grades_that_are_mentioned_or_amounts_are_none(text: str) -> None:
    assert isinstance(TASKS["grade"].parse(text, FRAME, False), Malformed)


@pytest.mark.parametrize("task", ["centre", "box", "polygon"])
@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[[]]",
        "()",
        "null",
        "Answer: none",
        '{"bbox_2d": []}',
        '{"box": null}',
        "No tumor is visible in this slice.",
        "There is no lesion visible.",
        "The slice shows no tumour.",
        "I see no glioma here.",
        "The tumor is not visible in this image.",
        "Antwort: keine",
    ],
)
def test_that_nothing_is_there_may_be_said_in_other_words(text: str, task: str) -> None:
    assert TASKS[task].parse(text, FRAME, False) == Answered(None)


def test_nothing_in_one_place_is_not_nothing() -> None:
    assert TASKS["centre"].parse("no tumour in the left half; (12, 30)", FRAME, False) == Answered(Point(FRAME, 12, 30))
    for text in ("no tumor boundary", "None of the tumor is bright", "No tumour in the left half.", "{}"):
        assert isinstance(TASKS["box"].parse(text, FRAME, False), Malformed)


def test_an_order_that_the_text_states_is_heeded() -> None:
    for text in (
        "(x, y) = (51, 35)",
        "The centre (x, y) is (51, 35).",
        "(row, col) = (35, 51)",
        "x=51, y=35",
        "(column, row): (51, 35)",
    ):
        assert TASKS["centre"].parse(text, FRAME, False) == Answered(Point(FRAME, 35, 51))
    box = Answered(Box(FRAME, 20, 10, 60, 40))
    assert TASKS["box"].parse("[x1, y1, x2, y2] = [10, 20, 40, 60]", FRAME, False) == box
    assert TASKS["box"].parse("[ymin, xmin, ymax, xmax] = [20, 10, 60, 40]", FRAME, False) == box
    outline = Answered(Polygon(FRAME, ((20, 10), (60, 40), (70, 12))))
    assert TASKS["polygon"].parse("(x, y): [(10, 20), (40, 60), (12, 70)]", FRAME, False) == outline


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("centre", "(0.4, 0.27)"),
        ("box", "[0.1, 0.2, 0.4, 0.6]"),
        ("polygon", "[(0.1, 0.2), (0.3, 0.4), (0.5, 0.1)]"),
        ("centre", '{"point_2d": [51, 35]}'),
        ("box", '{"bbox_2d": [10, 20, 40, 60], "label": "tumor"}'),
        ("box", "<loc0100><loc0200><loc0400><loc0600> tumor"),
        ("centre", '<point x="40.0" y="27.5" alt="tumor">tumor</point>'),
        ("box", "<|box_start|>(10,20),(40,60)<|box_end|>"),
    ],
)
def test_fractions_and_numbers_in_a_models_own_frame_are_not_taken_for_pixels(task: str, text: str) -> None:
    assert isinstance(TASKS[task].parse(text, FRAME, False), Malformed)
