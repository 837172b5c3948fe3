"""A patient's truth as every task sees it, each slice computed once."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import Plane, SliceFrame, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.scoring.overlap import Area
from gliobench.tasks.chain import coarsen, to_mask
from gliobench.tasks.geometry import Box, Mask, Value


class SliceTruth:
    """The truth of one slice: `mask` as it is, `area(task)` as pixels, `box` for what is measured from a box."""

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        self._areas: dict[str, Area] = {}

    def area(self, task: str) -> Area:
        """The truth of `task` (mask, polygon or box), filled."""
        if task not in self._areas:
            self._areas[task] = Area(fill(coarsen(self.mask, task), self.mask.frame))
        return self._areas[task]

    @cached_property
    def box(self) -> Box | None:
        """The box around the tumour, None where the slice has none."""
        box = coarsen(self.mask, "box")
        return box if isinstance(box, Box) else None


class SubjectTruth:
    """The truth of one patient. Raises ValueError where the patient has no mask and one is needed."""

    def __init__(self, subject: PreparedSubject) -> None:
        self.subject = subject
        self._slices: dict[tuple[Plane, int], SliceTruth] = {}

    @cached_property
    def volume(self) -> Area:
        """The whole tumour."""
        return Area(self.subject.tumour)

    def slice(self, frame: SliceFrame) -> SliceTruth:
        """The truth of one slice."""
        key = (frame.plane, frame.index)
        if key not in self._slices:
            self._slices[key] = SliceTruth(cut(self.volume.pixels, frame))
        return self._slices[key]


def cut(voxels: NDArray[np.bool_], frame: SliceFrame) -> Mask:
    """One slice of a volume of voxels."""
    pixels: NDArray[Any] = take_slice(voxels, frame.plane, frame.index)
    return Mask(frame, np.ascontiguousarray(pixels))


def fill(value: Value | None, frame: SliceFrame) -> NDArray[np.bool_]:
    """The pixels of a value; none of them where there is no value."""
    return np.zeros(frame.shape, dtype=bool) if value is None else to_mask(value).pixels
