"""What the tests of models on servers ask about: a made patient whose slices all look different."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question


def subject() -> PreparedSubject:
    """One patient of coarse random blocks."""
    blocks = np.random.default_rng(1).integers(0, 256, (4, 12, 5, 6), dtype=np.uint8)
    return PreparedSubject(
        id="subject-1",
        grade=1,
        image=blocks.repeat(8, axis=2).repeat(8, axis=3),
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(48, 40, 12),
        oracle=False,
        content="1",
    )


def questions(count: int, task: str | None = None) -> list[Question]:
    """Questions about its slices one after the other, all of `task` or of every task in turn."""
    tasks = ["grade", "centre", "box", "polygon", "mask"]
    patient = subject()
    return [
        Question(patient, task or tasks[n % 5], patient.frame("axial", n % 12), repeat=n // 12) for n in range(count)
    ]


def shown_image(body: dict[str, Any]) -> np.ndarray:
    """The image asked about in a request's body, (rows, columns) or (rows, columns, 3) uint8."""
    scheme, data = body["messages"][-1]["content"][0]["image_url"]["url"].split(",")
    assert scheme == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
