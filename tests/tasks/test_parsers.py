"""What texts are read as: what people and models write, what they mean by it, and that no text makes a parser fail."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answer, Answered, Malformed, Missing, Refused, Truncated
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon
from gliobench.tasks.reading import MAX_CHARACTERS
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (128, 120), (1.0, 1.0))
SQUARE = ((12, 40), (12, 50), (30, 50), (30, 40))


def read(task: str, text: str, cut_off: bool = False) -> Answer:
    return TASKS[task].parse(text, FRAME, cut_off)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("Choice: 0", 0),
        ("Choice: 1", 1),
        ("Choice: <2>", 2),
        ("**Choice:** 1\n**Reasoning:** necrosis, edema", 1),
        ("Choice: 1. Reasoning: mass", 1),
        ("Classification: High Grade Glioma (1)", 1),
        ("\n \nClassification: No Glioma (2) \n Reasoning: no mass", 2),
        ("Classification: \n \n Answer: 0 \n Reasoning: \n 1. Mass", 0),
        ("The correct answer is 1.", 1),
        ("HGG", 1),
        ("**LGG**", 0),
        ("High-grade glioma. The mass shows necrosis.", 1),
        ("This is a low grade glioma", 0),
        ("The scan is most consistent with a high-grade glioma.", 1),
        ("There is no glioma visible.", 2),
        ("1", 1),
        ("(0)", 0),
        ("2 - No glioma", 2),
        ("Choice: 1 Reasoning: not consistent with low grade", 1),
        ("High-grade glioma is excluded. It is a low grade glioma.", 0),
        ("Low grade glioma not high grade", 0),
        ("Choice: 1, 80 % sure of a high grade glioma", 1),
    ],
)
def test_grades_that_are_claimed(text: str, grade: int) -> None:
    assert read("grade", text) == Answered(Grade(grade))


@pytest.mark.parametrize(
    "text",
    [
        "Step 1: Analyze the brain scan",
        "1. Load the image",
        "Answer:\n1. The scan shows a mass",
        "Choice: <0, 1, or 2>",
        "Choice: 0 or 1",
        "Choice: 12",
        "Choice: 1.5",
        "Choice: -1",
        "Low Grade Glioma (0), High Grade Glioma (1), or No Glioma (2)",
        "Classify the brain scan as Low Grade Glioma (0), High Grade",
        "Step 1: Identify the characteristics of Low Grade Glioma (0) and High Grade",
        "Analyze features that are characteristic of Low Grade Glioma",
        "The tumor is not a high grade glioma",
        "WHO grade 2",
        "It is unlikely to be a high-grade glioma; the features are those of LGG.",
        "High grade glioma is not likely",
        "Diagnosis: HGG can be ruled out",
        "Choice: 0 for a low grade glioma, 1 for a high grade glioma, 2 for no glioma",
        "Choice: 0: Low Grade Glioma, 1: High Grade Glioma",
    ],
)
def test_grades_that_are_only_mentioned(text: str) -> None:
    assert isinstance(read("grade", text), Malformed)


@pytest.mark.parametrize(
    "text", ["Choice: 1 or rather Choice: 0", "Choice: High Grade Glioma (0)", "Answer: 1. Choice: 2"]
)
def test_two_grades_are_malformed(text: str) -> None:
    answer = read("grade", text)
    assert isinstance(answer, Malformed)
    assert "expected one choice" in answer.reason


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [
        ("(12, 40)", 12, 40),
        ("[12,40]", 12, 40),
        ("**(12, 40)**", 12, 40),
        ("$(12,40)$", 12, 40),
        (r"\left(12, 40\right)", 12, 40),
        ("The centre of the tumour is at (12.5, 40.25).", 12.5, 40.25),
        ("row 12, col 40", 12, 40),
        ("Row: 12, Column: 40", 12, 40),
        ("column 40 and row 12", 12, 40),
        ('{"row": 12, "col": 40}', 12, 40),
        ("x=40, y=12", 12, 40),
        ("12, 40", 12, 40),
        ("The centre is at 12, 40.", 12, 40),
        ("('12', '40')", 12, 40),
        ("(row, col) = (12, 40)", 12, 40),
        ("The 128x120 image has its origin (0, 0) at the top left. Step 1: look. Answer: (12, 40)", 12, 40),
        ("An image of size (128, 120) with the tumour at (12, 40)", 12, 40),
        ("I first thought of (99, 9). Final answer: (12, 40)", 12, 40),
        ("(1.2e1, 4e1)", 12, 40),
        ("(0, 119)", 0, 119),
        ("(127, 0)", 127, 0),
        ("(12, 40)\n(12, 40)", 12, 40),
        ("(12, 40)\n(12, 40)\n(12, ", 12, 40),
    ],
)
def test_points(text: str, row: float, column: float) -> None:
    assert read("centre", text) == Answered(Point(FRAME, row, column))


@pytest.mark.parametrize(
    "text",
    ["128x120", "Step 1: look at the 128x128 image", "(128x120)", "between 0 and 127", "(row1, col1)", "12", "(3)"],
)
def test_numbers_that_are_no_point(text: str) -> None:
    assert isinstance(read("centre", text), Malformed)


@pytest.mark.parametrize(
    "text",
    [
        "(128, 5)",
        "(5, 120)",
        "(-3, 5)",
        "(−3, 5)",
        "(5, nan)",
        "(inf, 5)",
        "(1e999, 2)",
        f"({'9' * 400}, 5)",
        "(-1, 5)",
    ],
)
def test_points_outside_the_image_are_malformed(text: str) -> None:
    answer = read("centre", text)
    assert isinstance(answer, Malformed)
    assert "outside the image; expected rows 0 to 127 and columns 0 to 119" in answer.reason


def test_two_different_points_are_malformed() -> None:
    answer = read("centre", "It is (12, 40). Or perhaps rather in that region there, at (13, 41).")
    assert isinstance(answer, Malformed)
    assert "2 different answers" in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "(12, 40, 30, 50)",
        "[12, 40, 30, 50]",
        "12, 40, 30, 50",
        "[(12, 40), (12, 50), (30, 50), (30, 40)]",
        "[30, 50], [12, 40], [30, 40], [12, 50]",
        "[12, 40), (12, 50), (30, 50), (30, 40)]",
        "[(12, 40), (13, 50), (30, 49), (29, 41)]",
        "[(12, 40), (12, 50), (30, 50), (30, 40), (12, 40)]",
        "[(12, 40), (12, 50), (30, 50), (30, 40)",
        "The corners are (12, 40), (12, 50), (30, 50), and (30, 40).",
        "* (12, 40)\n* (12, 50)\n* (30, 50)\n* (30, 40)",
        "[(12, 40), (30, 50)]",
        "top-left at (12, 40) and bottom-right at (30, 50)",
        "row_min: 12, col_min: 40, row_max: 30, col_max: 50",
        '{"row_min": 12, "col_min": 40, "row_max": 30, "col_max": 50}',
        "[row_min=12, col_min=40, row_max=30, col_max=50]",
        "top: 12, left: 40, bottom: 30, right: 50",
        "rows 12 to 30 and columns 40-50",
        "**[** 12, **40** ), (**12**, **50** ), (**30**, **50** ), (**30**, **40** )**",
    ],
)
def test_boxes(text: str) -> None:
    assert read("box", text) == Answered(Box(FRAME, 12, 40, 30, 50))


@pytest.mark.parametrize(
    "text",
    [
        "(row_min, col_min, row_max, col_max)",
        "(12, 40)",
        "[(12, 40), (12, 50), (30, 50)]",
        "[0,0,0,127, 127,0,127,127,0]",
        "The top-left corner is located at (12, 40).\n* The top-right corner is located at (12, 50).",
        "`row_min, row_max = 128, 0`",
        "[(0, 0), (0, 120), (30, 120), (30, 0)]",
    ],
)
def test_texts_without_a_box(text: str) -> None:
    assert isinstance(read("box", text), Malformed)


LIST = "(12, 40), (12, 50), (30, 50), (30, 40)"


@pytest.mark.parametrize(
    "text",
    [
        f"({LIST})",
        LIST,
        f"The output is: [{LIST}]. I hope it helps.",
        "(12, 40) (12, 50) (30, 50) (30, 40)",
        "$(12,40)$,$(12,50)$,$(30,50)$, and $(30,40)$",
        "1. ((12, 40)),2. ((12, 50)),3. ((30, 50)),4. ((30, 40)).",
        "* Row 12, Column 40\n* Row 12, Column 50\n* Row 30, Column 50\n* Row 30, Column 40",
        "(row1, col1) = (12, 40)\n(row2, col2) = (12, 50)\n(row3, col3) = (30, 50)\n(row4, col4) = (30, 40)",
        f"({LIST}, (12, 40))",
        f"({LIST}). **Answer:** ({LIST})",
        f"({LIST}). Therefore the answer is: ((12, 40), (12, 50), (3",
        f"First ((1, 1), (2, 2), (3, 1)). Final answer: ({LIST})",
        f"({LIST}) in this format: ((1, 2), (3, 4), ..., (5, 6), (7, 8), (9, 10))",
        '[{"row": 12, "col": 40}, {"row": 12, "col": 50}, {"row": 30, "col": 50}, {"row": 30, "col": 40}]',
    ],
)
def test_polygons(text: str) -> None:
    assert read("polygon", text) == Answered(Polygon(FRAME, SQUARE))


@pytest.mark.parametrize(
    "text",
    [
        "((row1, col1), (row2, col2), ..., (rowN, colN))",
        "(row1, col1), (row2, col2), (row3, col3)",
        "((12, 40), (12, 50))",
        "$(12,40,12,50,30,50,30,40)$",  # could be all rows, then all columns
        f"({LIST}). Second tumour: ((1, 1), (2, 2), (3, 1)).",
        f"({LIST}, (131, 40))",
    ],
)
def test_texts_without_a_polygon(text: str) -> None:
    assert isinstance(read("polygon", text), Malformed)


@pytest.mark.parametrize(
    ("task", "text", "cut_off"),
    [
        ("centre", "The centre is (12,", False),
        ("centre", "(12", False),
        ("centre", "12, 4", True),
        ("centre", "The tumour lies in the left", True),
        ("box", "[(12, 40), (12,", False),
        ("box", "[(12, 40), (12, 50), (30, 50), (30, 4", False),
        ("polygon", f"({LIST}, (2", False),
        ("polygon", f"({LIST},", False),
        ("polygon", f"({LIST}", False),
        ("polygon", LIST, True),
        ("polygon", f"{LIST}. Let's adjust: (12, 40), (14, 5", False),
        ("polygon", "[Row: 12, Col: 40], [Row: 12, Col: 50], [Row: 30, Col: 50], [Row: 30, Col", False),
        ("polygon", "(row1, col1) = (12, 40)(row2, col2) = (12, 50)(row3, col3) = (30, 50)(row4, col4)", False),
        ("grade", "Step 1: Analyze the", True),
        ("mask", "12: 3-9\n13: 4-", False),
        ("mask", "12: 3-9\n13: 4-1", True),
    ],
)
def test_texts_that_break_off(task: str, text: str, cut_off: bool) -> None:
    assert isinstance(read(task, text, cut_off), Truncated)


def test_an_answer_that_was_finished_before_the_limit_counts() -> None:
    assert isinstance(read("grade", "Choice: 1 Reasoning: large mass, irre", True), Answered)
    assert isinstance(read("box", "(12, 40, 30, 50) is where the", True), Answered)
    assert isinstance(read("polygon", f"({LIST})", True), Answered)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that request.",
        "I cannot provide medical advice.",
        "As an AI, this is beyond me.",
        "I am not able to analyse images",
        "I’m unable to provide a medical diagnosis",
    ],
)
def test_refusals(task: str, text: str) -> None:
    assert isinstance(read(task, text), Refused)
    assert isinstance(read(task, text, True), Refused)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_an_empty_text_is_missing_and_one_that_the_limit_ended_truncated(task: str, text: str) -> None:
    assert isinstance(read(task, text), Missing)
    assert isinstance(read(task, text, True), Truncated)


@pytest.mark.parametrize(
    "text", ["none", "None.", "(-1, -1)", "No tumour is visible.", "There is no tumor in this slice."]
)
@pytest.mark.parametrize("task", ["centre", "box", "polygon"])
def test_that_there_is_no_tumour_is_an_answer(task: str, text: str) -> None:
    if task == "polygon" and "-1" in text:
        text = f"({', '.join([text] * 10)})"
    elif task == "box" and "-1" in text:
        text = "(-1, -1, -1, -1)"
    assert read(task, text) == Answered(None)


def test_masks() -> None:
    answer = read("mask", "Here it is:\n12: 3-5, 9\n- row 13: 4 to 4\n")
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Mask)
    assert np.argwhere(answer.value.pixels).tolist() == [[12, 3], [12, 4], [12, 5], [12, 9], [13, 4]]
    for text in ("12: 5-3", "128: 1-2", "3: 100-120", "3: 1-99999999999"):
        assert isinstance(read("mask", text), Malformed)
    empty = read("mask", "none")
    assert isinstance(empty, Answered)
    assert isinstance(empty.value, Mask)
    assert not empty.value.pixels.any()


whole_rows, whole_columns = st.integers(0, 127), st.integers(0, 119)


@given(whole_rows, whole_columns, whole_rows, whole_columns, st.integers(0, 2), st.booleans())
def test_what_is_written_is_read_back(r0: int, c0: int, r1: int, c1: int, grade: int, cut_off: bool) -> None:
    box = Box(FRAME, min(r0, r1), min(c0, c1), max(r0, r1), max(c0, c1))
    for task, value in (("centre", Point(FRAME, r0, c0)), ("box", box), ("grade", Grade(grade))):
        assert read(task, TASKS[task].write(value), cut_off and task != "grade") == Answered(value)


@given(st.lists(st.tuples(whole_rows, whole_columns), min_size=10, max_size=15, unique=True))
def test_written_polygons_are_read_back(points: list[tuple[int, int]]) -> None:
    value = Polygon(FRAME, tuple(points))
    assert read("polygon", TASKS["polygon"].write(value)) == Answered(value)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3))
def test_written_masks_are_read_back(seed: int, share: float) -> None:
    pixels = np.random.default_rng(seed).random(FRAME.shape) < share
    answer = read("mask", TASKS["mask"].write(Mask(FRAME, pixels)))
    assert isinstance(answer, Answered)
    assert isinstance(answer.value, Mask)
    assert np.array_equal(answer.value.pixels, pixels)


def test_centres_are_written_in_whole_pixels_halves_up() -> None:
    assert TASKS["centre"].write(Point(FRAME, 12.5, 40.4)) == "(13, 40)"


def test_writing_the_wrong_kind_says_so() -> None:
    for task in TASKS.values():
        with pytest.raises(TypeError):
            task.write(Box(FRAME, 0, 0, 1, 1) if task.name != "box" else Grade(1))


def test_truths() -> None:
    pixels = np.zeros(FRAME.shape, dtype=bool)
    pixels[10:14, 20:27] = True
    pixels[30, 22] = True
    mask = Mask(FRAME, pixels)
    assert TASKS["box"].of_mask(mask) == Box(FRAME, 10, 20, 30, 26)
    assert TASKS["centre"].of_mask(mask) == Point(FRAME, 20, 23)
    assert TASKS["mask"].of_mask(mask) is mask
    outline = TASKS["polygon"].of_mask(mask)
    assert isinstance(outline, Polygon)
    assert outline.points[0] == (10, 20)
    empty = Mask(FRAME, np.zeros(FRAME.shape, dtype=bool))
    assert all(TASKS[task].of_mask(empty) is None for task in ("centre", "box", "polygon", "mask"))
    with pytest.raises(TypeError, match="grade"):
        TASKS["grade"].of_mask(mask)


PIECES = st.one_of(
    st.sampled_from(list("()[]{}<>,;:.-−\"'*$\\` \n012xy=٣²…")),
    st.sampled_from(
        ["12", "127", "128", "-1", "1e5", "nan", "inf", "1e999", "9" * 5000, "row", "col", "top", "left", "to"]
    ),
    st.sampled_from(["Choice:", "Answer", "High", "Grade", "Glioma", "No", "(0)", "Step", "none", "I can't", "\\left"]),
    st.sampled_from(["10: 3-5", "(12, 40)", "(12, 40), ", "((1, 2), (3, 4), (5, 6))", "...", "and"]),
)


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join), st.lists(PIECES).map(" ".join)))
@example("(" * 3000)
@example("(٣, ٤)")
@example("Choice: ²")
@example("row ٣: 1-2")
def test_no_text_makes_a_parser_fail(text: str) -> None:
    for name, task in TASKS.items():
        for cut_off in (False, True):
            answer = task.parse(text, FRAME, cut_off)
            assert isinstance(answer, Answered | Malformed | Refused | Truncated | Missing)
            if isinstance(answer, Answered) and isinstance(answer.value, Point):
                assert 0 <= answer.value.row <= 127
                assert 0 <= answer.value.column <= 119
            if not isinstance(answer, Answered):
                assert answer.reason, name


@pytest.mark.parametrize("piece", ["(", "(1, 2), ", "row 1 ", "high grade ", "12: 3-4\n"])
def test_long_texts_are_read_and_longer_ones_are_not(piece: str) -> None:
    """How little time it takes: `benchmarks/parsers.py`."""
    text = piece * (MAX_CHARACTERS // len(piece))
    for task in TASKS.values():
        assert f"at most {MAX_CHARACTERS}" not in str(task.parse(text, FRAME, False))
        longer = task.parse(text + piece, FRAME, False)
        assert isinstance(longer, Malformed)
        assert f"at most {MAX_CHARACTERS}" in longer.reason
