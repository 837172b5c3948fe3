"""Where an answer lies: pixels of a slice and of the slice as shown, there and back; questions and answers in turn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.models.asked import subject

from gliobench.grid.frame import SliceFrame
from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import Shot, answer_text, question_turn, read_answer, shot_turns
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answer, Answered, Malformed
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, Value, VolumeMask
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 3, (40, 48), (1.0, 2.0))  # a slice of tests.models.asked
ROWS, COLUMNS = st.integers(0, 39), st.integers(0, 47)
SCALES = st.integers(1, 6)


def _question(task: str) -> Question:
    patient = subject()
    return Question(patient, task, patient.frame("axial", 3))


def _there_and_back(task: str, value: Value | None, scale: int) -> Answer:
    """What is read where the true answer is written."""
    view = View(scale=scale)
    return read_answer(_question(task), answer_text(_question(task), value, view), False, view)


def test_the_shown_frame_is_as_large_in_millimetres() -> None:
    shown = View(scale=4).shown_frame(FRAME)
    assert (shown.shape, shown.spacing_mm) == ((160, 192), (0.25, 0.5))
    assert View("mosaic", ticks=True).shown_frame(FRAME) == FRAME
    assert View("montage", scale=4).shown_frame(FRAME) == shown


def test_places_by_hand() -> None:
    view = View(scale=4)
    shown = view.shown_frame(FRAME)
    # Pixel 0 is shown as 0 to 3, whose middle is 1.5.
    assert view.from_frame(Point(FRAME, 0, 10)) == Point(shown, 1.5, 41.5)
    assert view.to_frame(Point(shown, 1.5, 41.5), FRAME) == Point(FRAME, 0, 10)
    assert view.to_frame(Point(shown, 0, 4), FRAME) == Point(FRAME, -0.375, 0.625)
    assert view.from_frame(Box(FRAME, 2, 3, 2, 5)) == Box(shown, 8, 12, 11, 23)
    # A shown pixel more on each side is a quarter of a slice's pixel more.
    assert view.to_frame(Box(shown, 7, 11, 12, 24), FRAME) == Box(FRAME, 1.75, 2.75, 2.25, 5.25)
    # Smaller than a pixel: one pixel about the middle, which stays inside the slice.
    assert view.to_frame(Box(shown, 159, 8, 159, 11), FRAME) == Box(FRAME, 39, 2, 39, 2)
    assert view.to_frame(Box(shown, 9, 8, 10, 11), FRAME) == Box(FRAME, 2, 2, 2, 2)
    pixels = np.zeros(shown.shape, dtype=bool)
    pixels[0:4, 0:2] = True  # half of pixel (0, 0)
    pixels[4:8, 0:1] = True  # a quarter of pixel (1, 0)
    reduced = view.to_frame(Mask(shown, pixels), FRAME)
    assert isinstance(reduced, Mask)
    assert np.argwhere(reduced.pixels).tolist() == [[0, 0]]


@given(SCALES, st.lists(st.tuples(ROWS, COLUMNS), min_size=2, max_size=2))
def test_a_box_comes_back_as_it_was(scale: int, corners: list[tuple[int, int]]) -> None:
    (top, bottom), (left, right) = (sorted(place) for place in zip(*corners, strict=True))
    box = Box(FRAME, top, left, bottom, right)
    answer = _there_and_back("box", box, scale)
    assert answer == Answered(Box(_question("box").frame, top, left, bottom, right))  # type: ignore[arg-type]


@given(SCALES, ROWS, COLUMNS)
def test_a_point_comes_back_within_half_a_shown_pixel(scale: int, row: int, column: int) -> None:
    answer = _there_and_back("centre", Point(FRAME, row, column), scale)
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Point)
    assert max(abs(answer.value.row - row), abs(answer.value.column - column)) <= 0.5 / scale + 1e-9


@settings(max_examples=25)
@given(SCALES, st.lists(st.tuples(ROWS, COLUMNS), min_size=10, max_size=15, unique=True))
def test_an_outline_comes_back_within_half_a_shown_pixel(scale: int, points: list[tuple[int, int]]) -> None:
    answer = _there_and_back("polygon", Polygon(FRAME, tuple(points)), scale)
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Polygon)
    assert np.abs(np.subtract(answer.value.points, points)).max() <= 0.5 / scale + 1e-9
    exact = View(scale=scale).to_frame(View(scale=scale).from_frame(Polygon(FRAME, tuple(points))), FRAME)
    assert isinstance(exact, Polygon)
    assert np.allclose(exact.points, points)


@settings(max_examples=25)
@given(SCALES, arrays.arrays(bool, (40, 48)))
def test_a_mask_comes_back_as_it_was(scale: int, pixels: np.ndarray) -> None:
    answer = _there_and_back("mask", Mask(FRAME, pixels), scale)
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Mask)
    assert answer.value.frame.shape == (40, 48)
    assert np.array_equal(answer.value.pixels, pixels)


def test_a_grade_has_no_place_and_a_volume_is_no_slice() -> None:
    assert _there_and_back("grade", Grade(1), 4) == Answered(Grade(1))
    assert _there_and_back("box", None, 4) == Answered(None)
    volume = VolumeMask(np.zeros((2, 2, 2), dtype=bool))
    with pytest.raises(TypeError, match="VolumeMask"):
        View(scale=2).to_frame(volume, FRAME)
    with pytest.raises(TypeError, match="VolumeMask"):
        View(scale=2).from_frame(volume)


def test_an_answer_outside_what_is_shown_is_malformed() -> None:
    text = "(40, 10)"
    assert isinstance(read_answer(_question("centre"), text, False, View()), Malformed)
    inside = read_answer(_question("centre"), text, False, View(scale=2))
    assert isinstance(inside, Answered)
    assert isinstance(inside.value, Point)
    assert (inside.value.row, inside.value.column) == (19.75, 4.75)


def test_the_prompt_says_the_size_as_shown_behind_the_views_words() -> None:
    prompt = TASKS["box"].prompt
    for view, words in ((View(scale=2), ""), (View("rgb", scale=2), "The image is in false colours: ")):
        image, text = question_turn(_question("box"), prompt, view)["content"]
        assert text["text"].startswith(words)
        assert text["text"].endswith(prompt.text.replace("{rows}", "80").replace("{columns}", "96"))
        assert image["image"].size == (96, 80)
        assert image["image"].mode == "RGB"


def test_shots_are_questions_and_answers_in_the_pixels_as_shown() -> None:
    question = _question("box")
    shots = [Shot(question, Box(FRAME, 2, 3, 2, 5)), Shot(question, None)]
    turns = shot_turns(shots, TASKS["box"].prompt, View(scale=4))
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2
    assert [turn["content"][-1]["text"] for turn in turns[1::2]] == ["(8, 12, 11, 23)", "none"]
    assert turns[0]["content"][1]["text"] == turns[2]["content"][1]["text"]
