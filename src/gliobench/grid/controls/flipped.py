"""A control: the mirror image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gliobench.grid.controls.base import Control
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject

ACROSS: Plane = "sagittal"  # the plane whose slices lie side by side from right to left


class Flipped(Control):
    """Left and right exchanged, in the image and in the truth."""

    name = "flipped"
    summary = "left and right exchanged, in the image and in the truth"
    words = "the mirror image"
    unmoved = "on which side the {target} is"
    mirrors = True

    def alter(self, subject: PreparedSubject, others: Sequence[PreparedSubject]) -> PreparedSubject:
        labels = subject.labels
        mirrored = replace(subject, labels=None if labels is None else np.ascontiguousarray(labels[..., ::-1]))
        return self.with_image(mirrored, np.ascontiguousarray(subject.image[..., ::-1]))

    def index(self, plane: Plane, index: int, size: int) -> int:
        return size - 1 - index if plane == ACROSS else index


FLIPPED = Flipped()
