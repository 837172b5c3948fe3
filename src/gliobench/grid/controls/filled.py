"""A control: the same image without the target."""

from collections.abc import Sequence

import numpy as np

from gliobench.grid.controls.base import Control
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import WHOLE_KEY, regions_of


class Filled(Control):
    """The target, with all its parts, filled with the median of the body outside it, image by image. The truth says
    where it is."""

    name = "filled"
    summary = "the target filled with the median of the body outside it (an oracle: the truth says where it is)"
    words = "the image with the {target} filled in"
    unmoved = "whether the {target} or a grey patch is in its place"
    lacking = "they have no mask, or nothing but the target"
    oracle = True

    def alter(self, subject: PreparedSubject, others: Sequence[PreparedSubject]) -> PreparedSubject | None:
        if subject.labels is None:
            return None
        target = regions_of(subject.problem)[WHOLE_KEY].mask(subject.labels)
        outside = np.asarray(subject.image).any(axis=0) & ~target
        if not outside.any():
            return None
        image = np.array(subject.image)
        for channel in image:
            channel[target] = np.median(channel[outside])
        return self.with_image(subject, image)


FILLED = Filled()
