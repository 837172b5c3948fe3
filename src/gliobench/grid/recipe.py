"""The recipe of the common grid (preset and shape), and the key of a patient prepared with it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, get_args

from gliobench.cohort.problem import GLIOMA, Problem

Preset = Literal["brain", "study", "tumour", "stored"]
RECIPE_VERSION = 1  # increased with every change that gives other voxels for the same recipe


@dataclass(frozen=True)
class Recipe:
    """How a patient is put on the grid of `shape` (D, H, W); see `gliobench.grid.prepare` for the presets.

    `window`: row and column of the scan, from 0, where the grid of preset `study` begins; by default it is centred on
    the brain.
    """

    preset: Preset = "brain"
    shape: tuple[int, int, int] = (95, 128, 128)
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.preset not in get_args(Preset):
            raise ValueError(f"preset must be one of {', '.join(get_args(Preset))}, got {self.preset!r}")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape must be three sizes (depth, height, width) of at least 1, got {self.shape}")
        if self.window is not None and self.preset != "study":
            raise ValueError(f"a window needs preset study, got preset {self.preset!r}")

    @property
    def oracle(self) -> bool:
        """Whether the grid is placed by the truth."""
        return self.preset == "tumour"


def content_key(
    source: str,
    subject_id: str,
    grade: int | None,
    recipe: Recipe,
    other_background: bool = False,
    problem: Problem = GLIOMA,
) -> str:
    """SHA-256 (hexadecimal) of everything a prepared patient depends on.

    `source` is the digest of the patient's files (`RawSubject.content`). `other_background`: whether a modality's
    background is another constant than 0, which only the voxels show; all else is known before reading them. Of a
    problem other than gliomas its images and classes count too.
    """
    parts: list[object] = [source, subject_id, grade, recipe.preset, list(recipe.shape), RECIPE_VERSION]
    if other_background:  # version 1 treated such a background as brain
        parts.append("background")
    if recipe.window is not None:
        parts.append(["window", *recipe.window])
    if problem.images != GLIOMA.images or problem.body != GLIOMA.body or problem.classes != GLIOMA.classes:
        windows = [[image.name, image.window] for image in problem.images]
        parts.append(["problem", windows, "all" if problem.body == "everything" else "body", problem.classes])
    if problem.consensus != "majority":
        parts.append(["consensus", problem.consensus])
    if len(problem.classes) == 2 and problem.positive_class == 0:  # scores are of the other class
        parts.append("positive first")
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
