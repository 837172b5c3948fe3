"""The PNG writer against Pillow's reader, which checks every chunk's sum."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from gliobench.models.server.png import png_url, write_png


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (95, 128), (240, 155)])
def test_pillow_reads_what_was_written(shape: tuple[int, int]) -> None:
    for image in (np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8)):
        with Image.open(io.BytesIO(write_png(image))) as opened:
            assert (opened.format, opened.mode, opened.size) == ("PNG", "L", shape[::-1])
            assert np.array_equal(np.asarray(opened), image)


def test_a_view_that_is_not_contiguous_and_its_url() -> None:
    image = np.arange(60, dtype=np.uint8).reshape(6, 10)[::-1, ::2]
    scheme, data = png_url(image).split(",")
    assert scheme == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), image)


def test_an_image_in_colour() -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(write_png(image))) as opened:
        assert (opened.mode, opened.size) == ("RGB", (5, 7))
        assert np.array_equal(np.asarray(opened), image)
