"""What a model sees: pixels by hand on tiny arrays, the words that go with them, and what cannot be shown."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.models.views.registry import LAYOUTS
from gliobench.models.views.ticks import LEFT_PX, TOP_PX
from gliobench.models.views.view import View
from gliobench.tasks.registry import TASKS

FLAIR, T1, T1CE, T2 = 0, 50, 100, 150


def _question(shape: tuple[int, int, int] = (3, 2, 3), index: int = 1, plane: Plane = "axial") -> Question:
    """A patient whose voxel is its place, counted from 1, plus 0 (FLAIR), 50 (T1), 100 (T1 with contrast), 150 (T2)."""
    places = np.arange(1, np.prod(shape) + 1).reshape(shape) % 50
    image = np.stack([places + offset for offset in (FLAIR, T1, T1CE, T2)]).astype(np.uint8)
    subject = PreparedSubject("tiny", 1, image, None, np.eye(4), np.eye(4), shape, False, "tiny")
    return Question(subject, "box", subject.frame(plane, index))


SLICE = np.array([[7, 8, 9], [10, 11, 12]])  # axial slice 1 of 3 x 2 x 3 places
GAP = 4


def _grey(image: np.ndarray) -> np.ndarray:
    """One colour of an image whose three are equal."""
    assert np.array_equal(image[..., 0], image[..., 1])
    assert np.array_equal(image[..., 0], image[..., 2])
    return image[..., 0]


def test_this_file_knows_the_order_of_the_modalities() -> None:
    assert GLIOMA.names == ("flair", "t1", "t1ce", "t2")


def test_a_grey_slice_is_the_slice_and_says_nothing() -> None:
    view = View()
    shown = view.render(_question())
    assert shown.dtype == np.uint8
    assert np.array_equal(_grey(shown), SLICE)
    assert np.array_equal(_grey(View(modalities=("t2",)).render(_question())), SLICE + T2)
    assert (view.words, view.coloured, dict(view.identity)) == ("", False, {"modality": "flair"})
    coronal = View().render(_question(plane="coronal"))
    assert _grey(coronal).tolist() == [[16, 17, 18], [10, 11, 12], [4, 5, 6]]  # superior on top


def test_a_scaled_slice_shows_each_pixel_as_a_block() -> None:
    shown = _grey(View(scale=2).render(_question()))
    assert shown[:2].tolist() == [[7, 7, 8, 8, 9, 9]] * 2
    assert shown[2:].tolist() == [[10, 10, 11, 11, 12, 12]] * 2


def test_a_stretched_slice_goes_from_its_own_darkest_to_its_own_brightest() -> None:
    """255 (grey - 7) / (12 - 7), fractions cut off: 0, 51, 102, 153, 204, 255."""
    shown = _grey(View(stretch=True).render(_question()))
    assert shown.tolist() == [[0, 51, 102], [153, 204, 255]]
    whole = _question()
    image = whole.subject.image.copy()
    image[0, 1] = [[0, 10, 40], [40, 20, 30]]
    of_40 = _grey(View(stretch=True).render(replace(whole, subject=replace(whole.subject, image=image))))
    assert of_40.tolist() == [[0, 63, 255], [255, 127, 191]]  # 63.75, 127.5, 191.25
    image[0, 1] = 9
    assert not View(stretch=True).render(replace(whole, subject=replace(whole.subject, image=image))).any()
    assert "stretch yes" in View(stretch=True).identity["view"]
    with pytest.raises(ModelError, match="window, percentiles and stretch"):
        View(stretch=True, window=(1, 200))


def test_three_modalities_are_red_green_and_blue() -> None:
    shown = View("rgb").render(_question())
    assert np.array_equal(shown, np.stack([SLICE + T1CE, SLICE + T2, SLICE + FLAIR], axis=-1))
    own = View("rgb", modalities=("flair", "t1", "t1ce"))
    assert np.array_equal(own.render(_question())[..., 1], SLICE + T1)
    assert own.coloured
    assert own.words == "The image is in false colours: red is FLAIR, green is T1, blue is T1 with contrast agent."


def test_a_mosaic_shows_four_modalities_in_their_order() -> None:
    shown = _grey(View("mosaic").render(_question()))
    assert shown.shape == (2 + GAP + 2, 3 + GAP + 3)
    assert np.array_equal(shown[:2, :3], SLICE + T1)
    assert np.array_equal(shown[:2, -3:], SLICE + T1CE)
    assert np.array_equal(shown[-2:, :3], SLICE + T2)
    assert np.array_equal(shown[-2:, -3:], SLICE + FLAIR)
    assert (shown[2:-2] == 128).all()
    assert (shown[:, 3:-3] == 128).all()
    assert "T1 top left, T1 with contrast agent top right, T2 bottom left, FLAIR bottom right" in View("mosaic").words


def test_a_montage_has_the_slice_in_the_middle_and_black_where_the_volume_ends() -> None:
    question = _question((6, 2, 3), index=1)
    shown = _grey(View("montage").render(question))
    assert shown.shape == (3 * 2 + 2 * GAP, 3 * 3 + 2 * GAP)
    cells = [shown[r : r + 2, c : c + 3] for r in (0, 6, 12) for c in (0, 7, 14)]
    volume = question.subject.image[0]
    for cell, index in zip(cells, range(-3, 6), strict=True):
        assert np.array_equal(cell, volume[index] if index >= 0 else np.zeros((2, 3)))
    row = _grey(View("montage", slices=3, step=2).render(_question((6, 2, 3), index=2)))
    assert [row[0, 0], row[0, 7], row[0, 14]] == [1, 13, 25]  # slices 0, 2 and 4
    last = _grey(View("montage", slices=3).render(_question((6, 2, 3), index=5)))
    assert not last[:, 14:].any()


def test_a_window_stretches_the_brain_and_leaves_the_rest_black() -> None:
    question = _question((1, 1, 5), index=0)
    question.subject.image[0, 0, 0] = [0, 10, 20, 30, 40]
    shown = _grey(View(window=(10, 30)).render(question))
    assert shown.tolist() == [[0, 1, 128, 255, 255]]  # 1 + 254 * (grey - 10) / 20, rounded
    # the 25th percentile of 10, 20, 30 and 40 is the first of them, the 75th the third
    assert np.array_equal(_grey(View(percentiles=(25, 75)).render(question)), shown)


def test_percentiles_are_of_the_whole_volume() -> None:
    question = _question((2, 1, 4), index=0)
    question.subject.image[0] = [[[1, 2, 3, 4]], [[100, 200, 100, 200]]]
    assert _grey(View(percentiles=(0, 100)).render(question)).tolist() == [[1, 2, 4, 5]]  # 1 + 254 * (g - 1) / 199


def test_a_slice_of_one_grey_has_a_window_too() -> None:
    question = _question((1, 1, 2), index=0)
    question.subject.image[0] = 7
    assert _grey(View(percentiles=(1, 99)).render(question)).tolist() == [[1, 1]]


def test_ticks_stand_in_a_margin_at_every_40th_row_and_column() -> None:
    question = _question((1, 50, 130), index=0)
    shown = _grey(View(ticks=True).render(question))
    assert np.array_equal(shown[TOP_PX:, LEFT_PX:], _grey(View().render(question)))
    assert np.flatnonzero(shown[TOP_PX:, LEFT_PX - 1]).tolist() == [0, 40]
    assert np.flatnonzero(shown[TOP_PX - 1, LEFT_PX:]).tolist() == [0, 40, 80, 120]
    one = [
        "..##..",
        "..##..",
        "####..",
        "####..",
        "..##..",
        "..##..",
        "..##..",
        "..##..",
        "######",
        "######",
    ]
    first_digit = shown[:10, -22:-16]  # of 120, moved in by a pixel because its 22 would end behind the image
    assert ["".join("#" if dot else "." for dot in row) for row in first_digit] == one
    scaled = _grey(View(ticks=True, scale=2).render(question))
    assert np.flatnonzero(scaled[TOP_PX:, LEFT_PX - 1]).tolist() == [0, 40, 80]  # in the pixels as shown


def test_every_panel_of_a_mosaic_has_its_ticks() -> None:
    shown = _grey(View("mosaic", ticks=True).render(_question()))
    height, width = TOP_PX + 2, LEFT_PX + 3
    assert shown.shape == (2 * height + GAP, 2 * width + GAP)
    margins = [shown[r : r + TOP_PX, c : c + width] for r in (0, height + GAP) for c in (0, width + GAP)]
    assert all(np.array_equal(margin, margins[0]) for margin in margins)
    assert margins[0].any()


def test_words_are_no_answer_and_fill_no_place() -> None:
    frame = _question((1, 30, 30), index=0).frame
    assert frame is not None
    for name, layout in LAYOUTS.items():
        for slices in layout.slices:
            words = View(name, slices=slices, ticks=True).words
            assert "black margin" in words
            assert "{" not in words
            for task in TASKS.values():
                assert type(task.parse(words, frame, False)).__name__ == "Malformed", (name, task.name)


def test_identity_tells_views_apart_and_not_the_ways_of_writing_them() -> None:
    views = [
        View(),
        View(modalities=("t2",)),
        View(scale=2),
        View(ticks=True),
        View(window=(1, 99)),
        View(percentiles=(1, 99)),
        View("rgb"),
        View("mosaic"),
        View("montage"),
        View("montage", slices=3),
        View("montage", step=2),
    ]
    assert len({str(dict(view.identity)) for view in views}) == len(views)
    assert View("montage").identity == View("montage", slices=9, modalities=("flair",)).identity
    assert View("mosaic", scale=4).identity["view"] == "mosaic 1 scale 4"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "collage"}, "collage: .*grey, rgb, mosaic, montage"),
        ({"modalities": ("pet",)}, "pet"),
        ({"name": "rgb", "modalities": ("t2",)}, "rgb .* 3 .* 1"),
        ({"name": "montage", "slices": 4}, "montage .* 9 or 3 .* 4"),
        ({"name": "mosaic", "step": 2}, "mosaic .*step"),
        ({"scale": 0}, "scale .* 0"),
        ({"window": (30, 10)}, "window .*0 to 255.* 30 and 10"),
        ({"percentiles": (1, 101)}, "percentiles .*0 to 100"),
        ({"window": (1, 2), "percentiles": (1, 2)}, "window, percentiles and stretch"),
    ],
)
def test_what_cannot_be_shown(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        View(**options)


def test_a_slice_may_become_1000_pixels_large() -> None:
    question = _question((1, 2, 125), index=0)
    assert View(scale=8).render(question).shape == (16, 1000, 3)
    with pytest.raises(ModelError, match=r"9 .* 18 x 1125 pixels.* 1000"):
        View(scale=9).render(question)
