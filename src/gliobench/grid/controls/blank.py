"""A control: no image at all."""

from collections.abc import Sequence

import numpy as np

from gliobench.grid.controls.base import Control
from gliobench.grid.prepared import PreparedSubject


class Blank(Control):
    """Background everywhere, 0 in every image. No window brightens it: views leave the background at 0."""

    name = "blank"
    summary = "background everywhere: no image at all"
    words = "a blank image"
    unmoved = "whether there is an image at all"

    def alter(self, subject: PreparedSubject, others: Sequence[PreparedSubject]) -> PreparedSubject:
        return self.with_image(subject, np.zeros(subject.image.shape, np.uint8))


BLANK = Blank()
