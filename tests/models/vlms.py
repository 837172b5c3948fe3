"""What the tests of language models in this process ask, and the tiny families that they ask."""

import numpy as np

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.models.tiny import write_tiny_idefics3, write_tiny_mllama

FAMILIES = {"mllama": write_tiny_mllama, "idefics3": write_tiny_idefics3}


def subject(id: str, seed: int, shape: tuple[int, int, int] = (12, 40, 48)) -> PreparedSubject:
    """Coarse random blocks, each slice another, so that slices look different at any scale."""
    depth, height, width = shape
    blocks = np.random.default_rng(seed).integers(0, 256, (4, depth, -(-height // 8), -(-width // 8)), dtype=np.uint8)
    return PreparedSubject(
        id=id,
        grade=seed % 2,
        image=blocks.repeat(8, axis=2).repeat(8, axis=3)[:, :, :height, :width],
        labels=None,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(width, height, depth),
        oracle=False,
        content=str(seed),
    )


def question(task: str, index: int, *, plane: Plane = "axial", seed: int = 1, repeat: int = 0) -> Question:
    """About one slice of the subject made from `seed`."""
    asked = subject(f"subject-{seed}", seed)
    return Question(asked, task, asked.frame(plane, index), repeat)
