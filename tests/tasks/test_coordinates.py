"""Answers of models that count in a way of their own, read by the convention that is declared for them."""

import pytest
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from gliobench.grid.frame import SliceFrame
from gliobench.tasks.answer import Answered, Malformed
from gliobench.tasks.coordinates import AS_ASKED, FAMILIES, Coordinates, known_family, resized_by_qwen
from gliobench.tasks.geometry import Box, Point, Polygon
from gliobench.tasks.registry import TASKS

FRAME = SliceFrame("axial", 0, (100, 200), (1.0, 1.0))  # 100 rows, 200 columns


# The box of rows 10 to 40 and columns 50 to 150, in each family's own form: 10 of 100 rows is 100 of 1000, 50 of 200
# columns is 250 of 1000. Qwen2.5-VL sees 100 x 200 as 112 x 196 (4 and 7 times 28): 25 rows are 28, 50 columns are 49.
@pytest.mark.parametrize(
    ("family", "text", "corners"),
    [
        ("gemini", '[{"box_2d": [100, 250, 400, 750], "label": "tumor"}]', (10, 50, 40, 150)),
        ("gemini", "[100, 250, 400, 750]", (10, 50, 40, 150)),
        (
            "qwen2-vl",
            "<|object_ref_start|>tumor<|object_ref_end|><|box_start|>(250,100),(750,400)<|box_end|>",
            (10, 50, 40, 150),
        ),
        ("qwen3-vl", '```json\n[{"bbox_2d": [250, 100, 750, 400], "label": "tumor"}]\n```', (10, 50, 40, 150)),
        ("internvl", "<ref>tumor</ref><box>[[250, 100, 750, 400]]</box>", (10, 50, 40, 150)),
        ("paligemma", "<loc0256><loc0512><loc0512><loc0768> tumor", (25, 100, 50, 150)),
        ("qwen2.5-vl", '[{"bbox_2d": [49, 28, 98, 56], "label": "tumor"}]', (25, 50, 50, 100)),
    ],
)
def test_boxes_in_a_familys_own_form(family: str, text: str, corners: tuple[int, int, int, int]) -> None:
    answer = TASKS["box"].parse(text, FRAME, False, FAMILIES[family])
    assert answer == Answered(Box(FRAME, *corners))


@pytest.mark.parametrize(
    ("coordinates", "text"),
    [
        (FAMILIES["molmo"], '<point x="25.0" y="10.0" alt="tumor">tumor</point>'),
        (FAMILIES["gemini"], '{"point": [100, 250]}'),
        (FAMILIES["qwen2-vl"], "(250, 100)"),
        (FAMILIES["qwen2-vl"], "(row, col) = (100, 250)"),  # what the text states goes before
        (FAMILIES["qwen2-vl"], "row 100, column 250"),  # and so do names
        (Coordinates("row-first", "fractions"), "(0.1, 0.25)"),
        (Coordinates("x-first", "fractions"), "[0.25, 0.1]"),
        (Coordinates("row-first", (200, 400)), "(20, 100)"),
        (Coordinates("x-first", "pixels"), "(50, 10)"),
    ],
)
def test_a_point_at_row_10_and_column_50(coordinates: Coordinates, text: str) -> None:
    assert TASKS["centre"].parse(text, FRAME, False, coordinates) == Answered(Point(FRAME, 10, 50))


def test_an_outline_in_thousandths() -> None:
    text = "[[250, 100], [500, 200], [125, 300]]"
    outline = Polygon(FRAME, ((10, 50), (20, 100), (30, 25)))
    assert TASKS["polygon"].parse(text, FRAME, False, FAMILIES["internvl"]) == Answered(outline)


def test_the_far_edge_is_the_last_pixel_and_beyond_it_is_outside() -> None:
    whole = TASKS["box"].parse("[0, 0, 1000, 1000]", FRAME, False, FAMILIES["gemini"])
    assert whole == Answered(Box(FRAME, 0, 0, 99, 199))
    beyond = TASKS["box"].parse("[0, 0, 1001, 1000]", FRAME, False, FAMILIES["gemini"])
    assert isinstance(beyond, Malformed)
    assert "rows 0 to 1000" in beyond.reason


@pytest.mark.parametrize("text", ['{"box_2d": [10, 20, 40, 60]}', '{"bbox_2d": [10, 20, 40, 60]}'])
def test_without_a_declaration_a_familys_mark_is_no_figure(text: str) -> None:
    assert isinstance(TASKS["box"].parse(text, FRAME, False, AS_ASKED), Malformed)


@pytest.mark.parametrize("text", ['{"x1": 50, "y1": 10, "x2": 150, "y2": 40}', "x0=50, y0=10, x1=150, y1=40"])
@pytest.mark.parametrize("coordinates", [AS_ASKED, Coordinates("x-first", "pixels")])
def test_corners_that_are_named(text: str, coordinates: Coordinates) -> None:
    assert TASKS["box"].parse(text, FRAME, False, coordinates) == Answered(Box(FRAME, 10, 50, 40, 150))


@pytest.mark.parametrize("shape", [(128, 128), (95, 128), (380, 512), (20, 1000), (28, 28), (1000, 1000), (5000, 7000)])
def test_qwens_resizing_is_that_of_transformers(shape: tuple[int, int]) -> None:
    least, most = 4 * 28 * 28, 16_384 * 28 * 28
    assert resized_by_qwen(shape) == smart_resize(*shape, factor=28, min_pixels=least, max_pixels=most)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("qwen2_5_vl", "qwen2.5-vl"),
        ("Qwen/Qwen2-VL-2B-Instruct", "qwen2-vl"),
        ("google/paligemma2-3b-mix-448", "paligemma"),
        ("gemini-2.5-pro", "gemini"),
        ("OpenGVLab/InternVL3-8B", "internvl"),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", None),
    ],
)
def test_families_known_by_name(model: str, family: str | None) -> None:
    assert known_family(model) == family
