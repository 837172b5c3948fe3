"""What the tests of fine-tuning learn from: made patients whose slices all look different, asked in few words."""

from pathlib import Path

import numpy as np

from gliobench.grid.prepared import PreparedSubject
from gliobench.models.language.vlm import VisionLanguageModel
from gliobench.tasks.prompt import Prompt

TASKS = ("grade", "centre")
PROMPTS = {"grade": Prompt("grade", "1", "grade?", 12), "centre": Prompt("centre", "1", "Where is the centre?", 12)}


def asked(folder: Path) -> VisionLanguageModel:
    return VisionLanguageModel(folder, tasks=TASKS, prompts=PROMPTS, to_train=True)


def patient(number: int) -> PreparedSubject:
    """A (6, 32, 32) patient with a tumour on the slices 1 to 4, none on slice 2."""
    random = np.random.default_rng(number)
    labels = np.zeros((6, 32, 32), np.uint8)
    row, column = random.integers(4, 20, 2)
    labels[[1, 3, 4], row : row + 7, column : column + 5] = 2
    return PreparedSubject(
        id=f"P{number}",
        grade=number % 2,
        image=random.integers(1, 256, (4, 6, 8, 8), dtype=np.uint8).repeat(4, axis=2).repeat(4, axis=3),
        labels=labels,
        affine=np.eye(4),
        native_affine=np.eye(4),
        native_shape=(32, 32, 6),
        oracle=False,
        content=str(number),
    )
