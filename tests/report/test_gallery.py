"""What is drawn lies where the answer says."""

import numpy as np

from gliobench.grid.frame import SliceFrame
from gliobench.report.contents import GalleryItem
from gliobench.report.gallery import draw_gallery, gallery_models
from gliobench.tasks.geometry import Box, Grade, Mask, Point, Polygon, VolumeMask

FRAME = SliceFrame("axial", 1, (10, 20), (2.0, 1.0))


def item(**answers: object) -> GalleryItem:
    pixels = np.zeros((10, 20), dtype=bool)
    pixels[2:5, 3:9] = True
    image = np.zeros((10, 20), dtype=np.uint8)
    return GalleryItem("p", 1, "axial", 1, image, Mask(FRAME, pixels), answers)  # type: ignore[arg-type]


def points(path: str) -> np.ndarray:
    numbers = path.replace("M", " ").replace("L", " ").replace("Z", " ").split()
    return np.array(numbers, dtype=float).reshape(-1, 2)


def test_shapes_are_in_millimetres_and_cover_whole_pixels() -> None:
    (strip,) = draw_gallery(
        [item(box=Box(FRAME, 2, 3, 4, 8), point=Point(FRAME, 0, 0), line=Polygon(FRAME, ((0, 0), (0, 1), (1, 1))))],
        ["box", "point", "line"],
    )
    assert (strip.width, strip.height) == (20.0, 20.0)  # 20 columns of 1 mm, 10 rows of 2 mm
    box, point, line = strip.tiles
    assert points(box.path).min(axis=0).tolist() == [3.0, 4.0]  # left edge of column 3, top edge of row 2
    assert points(box.path).max(axis=0).tolist() == [9.0, 10.0]  # right edge of column 8, bottom edge of row 4
    assert point.cross == (0.5, 1.0)  # the middle of the first pixel
    assert points(line.path)[0].tolist() == [0.5, 1.0]
    outline = points(strip.truth.path)
    assert outline.min(axis=0).tolist() == [3.0, 4.0]
    assert outline.max(axis=0).tolist() == [9.0, 10.0]


def test_words_stand_for_what_cannot_be_drawn() -> None:
    voxels = np.zeros((3, 10, 20), dtype=bool)
    answers = {
        "none": None,
        "grade": Grade(0),
        "no": Grade(2),
        "empty": Mask(FRAME, np.zeros((10, 20), dtype=bool)),
        "volume": VolumeMask(voxels),
    }
    (strip,) = draw_gallery([item(**answers)], [*answers, "absent"])
    assert [tile.words for tile in strip.tiles] == [
        "no usable answer",
        "says LGG",
        "says no glioma",
        "says no tumour",
        "says no tumour",
        "not asked",
    ]


def test_a_volume_is_cut_at_the_slice() -> None:
    voxels = np.zeros((3, 10, 20), dtype=bool)
    voxels[1, 2:5, 3:9] = True
    (strip,) = draw_gallery([item(volume=VolumeMask(voxels))], ["volume"])
    assert strip.tiles[0].path == strip.truth.path


def test_columns_follow_the_table() -> None:
    assert gallery_models([item(b=None, a=None), item(c=None)], ["a", "b"]) == ["a", "b", "c"]
