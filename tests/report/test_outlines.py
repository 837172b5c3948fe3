"""Outlines of slices in millimetres, and the figure made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gliobench.grid.frame import slice_frame
from gliobench.report.contents import OutlineItem, ReportContents
from gliobench.report.outlines import ANSWER, TRUTH, curve_mm, draw_outlines, shown, write_outlines
from gliobench.report.page import render_page
from gliobench.tasks.base import Ring
from gliobench.tasks.geometry import Box, Mask, Point, Polygon, Value
from gliobench.tasks.registry import task_of

SHAPE, SPACING = (10, 20, 30), (3.0, 2.0, 1.0)
# depth goes up 3 mm, height back to front 2 mm, width from right to left 1 mm; voxel 0 lies at (15, -20, 5)
AFFINE = np.array([[0, 0, -1, 15], [0, -2, 0, -20], [3, 0, 0, 5], [0, 0, 0, 1]], dtype=np.float64)
AXIAL = slice_frame("axial", 4, SHAPE, SPACING)


@pytest.fixture
def item() -> OutlineItem:
    pixels = np.zeros(AXIAL.shape, dtype=bool)
    pixels[5:9, 10:20] = True
    truth, answer = Mask(AXIAL, pixels), Box(AXIAL, 6, 11, 10, 22)
    return OutlineItem("BraTS_001", 1, "boxer", "box", "axial", AFFINE, [truth], [answer], True, 3, 1)


def drawn_rings(value: Value) -> list[Ring]:
    return list(task_of(value).drawn(value).rings)


def test_a_box_is_drawn_along_the_outer_edges_of_its_pixels() -> None:
    assert drawn_rings(Box(AXIAL, 2, 3, 2, 5)) == [[(1.5, 2.5), (1.5, 5.5), (2.5, 5.5), (2.5, 2.5)]]


def test_a_mask_has_a_ring_for_each_component_and_each_hole() -> None:
    pixels = np.zeros(AXIAL.shape, dtype=bool)
    pixels[2:9, 2:9] = True
    pixels[4:7, 4:7] = False
    pixels[15:18, 20:28] = True
    found = drawn_rings(Mask(AXIAL, pixels))
    assert sorted((min(ring), max(ring)) for ring in [[row for row, _ in ring] for ring in found]) == [
        *((1.5, 8.5), (3.5, 6.5), (14.5, 17.5))
    ], "the contour runs half way between the pixels"
    assert drawn_rings(Mask(AXIAL, np.zeros(AXIAL.shape, dtype=bool))) == []


def test_rows_and_columns_become_millimetres_of_the_patient() -> None:
    """Axial: (row 5, column 10) of slice 4 is voxel (4, 5, 10): x 15 - 10, y -20 - 10, z 5 + 12."""
    assert curve_mm([(5, 10), (6, 12)], AXIAL, AFFINE).tolist() == [[5, -30, 17], [3, -32, 17]]


def test_a_turned_plane_is_turned_back() -> None:
    """Coronal slice 7, row 0 is the topmost of ten slices: voxel (9, 7, 2). Sagittal slice 2: voxel (9, 7, 2) too."""
    coronal, sagittal = slice_frame("coronal", 7, SHAPE, SPACING), slice_frame("sagittal", 2, SHAPE, SPACING)
    assert curve_mm([(0, 2)], coronal, AFFINE).tolist() == [[13, -34, 32]]
    assert curve_mm([(0, 7)], sagittal, AFFINE).tolist() == [[13, -34, 32]]


def test_the_caption_says_what_was_asked_and_drawn(item: OutlineItem) -> None:
    assert shown(item) == "BraTS_001 (HGG): box, 1 of 3 slices answered, 1 axial slice drawn"
    whole = replace(item, task="mask", per_slice=False, n_asked=1, grade=None)
    assert shown(whole) == "BraTS_001: mask, whole patient answered, 1 axial slice drawn"


def test_the_drawing_has_both_colours_and_names_the_directions(item: OutlineItem) -> None:
    ((model, _, drawing),) = draw_outlines([item])
    assert model == "boxer"
    for text in (TRUTH, ANSWER, "right → left (mm)", "posterior → anterior (mm)", "inferior → superior (mm)"):
        assert text in drawing
    assert draw_outlines([item]) == draw_outlines([item])
    without = draw_outlines([replace(item, answer=[])])[0][2]
    assert TRUTH in without
    assert ANSWER not in without


def test_points_and_polygons_are_drawn(item: OutlineItem) -> None:
    for value in (Point(AXIAL, 6, 12), Polygon(AXIAL, ((5, 5), (5, 9), (9, 7)))):
        assert ANSWER in draw_outlines([replace(item, answer=[value])])[0][2]


def test_a_patient_without_anything_to_draw_is_drawn_empty(item: OutlineItem) -> None:
    assert ANSWER not in draw_outlines([replace(item, truth=[], answer=[])])[0][2]


def test_the_file_is_a_picture_with_both_colours_on_white(item: OutlineItem, tmp_path: Path) -> None:
    write_outlines(item, tmp_path / "new" / "figure.png")
    pixels = np.asarray(Image.open(tmp_path / "new" / "figure.png").convert("RGB")).reshape(-1, 3).astype(int)
    assert pixels[0].tolist() == [255, 255, 255]
    for colour in (TRUTH, ANSWER):
        wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=1) < 60).sum() > 50


def test_the_report_shows_the_outlines_where_there_are_some(contents: ReportContents, item: OutlineItem) -> None:
    title = "Truth and answer in three dimensions"
    assert title not in render_page(replace(contents, outlines=[]))
    assert title in render_page(replace(contents, outlines=[item]))
