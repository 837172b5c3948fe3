"""Thoughts are not the answer, and a number that the token limit ends in may be a piece of one."""

import pytest

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answered, Truncated
from gliobench.tasks.geometry import Grade, Point
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 3, (100, 100), (1.0, 1.0))
MARKERS = [
    ("<think>", "</think>"),
    ("", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
def test_only_what_follows_the_thoughts_is_read(opening: str, closing: str) -> None:
    grade = f"{opening}The answer is 0. No.{closing}\nChoice: 1"
    centre = f"{opening}Perhaps (60, 60).{closing}\n(35, 51)"
    assert TASKS["grade"].parse(grade, FRAME, False) == Answered(Grade(1))
    assert TASKS["centre"].parse(centre, FRAME, False) == Answered(Point(FRAME, 35, 51))


@pytest.mark.parametrize("opening", [opening for opening, _ in MARKERS if opening])
@pytest.mark.parametrize("cut_off", [True, False])
def test_a_text_that_ends_within_thoughts_is_truncated(opening: str, cut_off: bool) -> None:
    assert isinstance(TASKS["centre"].parse(f"{opening}Perhaps (60, 60). ", FRAME, cut_off), Truncated)
    assert isinstance(TASKS["grade"].parse(f"{opening}The answer is 0.", FRAME, cut_off), Truncated)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("centre", "row 12, col 4"),
        ("centre", '{"row": 12, "col": 4'),
        ("centre", "x = 4, y = 12"),
        ("centre", "12, 4"),
        ("box", "row_min: 12, col_min: 30, row_max: 58, col_max: 7"),
        ("box", "12, 30, 58, 7"),
        ("polygon", "((12, 40), (15, 52), (30, 47), (20, 4"),
        ("grade", "Choice: 1"),
    ],
)
def test_a_last_number_that_may_be_a_piece_is_truncated(task: str, text: str) -> None:
    assert isinstance(TASKS[task].parse(text, FRAME, True), Truncated)


def test_a_number_that_the_answer_does_not_rest_on_may_be_cut() -> None:
    assert TASKS["centre"].parse("(35, 51), with a diameter of 1", FRAME, True) == Answered(Point(FRAME, 35, 51))
