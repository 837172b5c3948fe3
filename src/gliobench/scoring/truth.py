"""A patient's truth for every task, each slice computed once."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliobench.grid.frame import Plane, SliceFrame, take_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import RegionName
from gliobench.scoring.overlap import Area
from gliobench.tasks.chain import coarsen, to_mask
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.registry import TASKS


class SliceTruth:
    """The truth of one slice: `of(task)` as a value of the task, `area(task)` as its pixels.

    `value`: the slice's mask, or a coarser truth where there is no mask; None where it has no tumour.
    """

    def __init__(self, value: Value | None, frame: SliceFrame) -> None:
        self._value = value
        self._frame = frame
        self._values: dict[str, Value | None] = {}
        self._areas: dict[str, Area] = {}

    def of(self, task: str) -> Value | None:
        """The true answer to a task, None where the slice has no tumour."""
        if task not in self._values:
            if isinstance(self._value, Mask):
                self._values[task] = TASKS[task].of_mask(self._value)
            else:
                self._values[task] = None if self._value is None else coarsen(self._value, task)
        return self._values[task]

    def area(self, task: str) -> Area:
        """The same, filled."""
        if task not in self._areas:
            self._areas[task] = Area(fill(self.of(task), self._frame))
        return self._areas[task]


class SubjectTruth:
    """The truth of one patient: from the mask, or from `told`, by plane and slice, where only coarser truths are known.

    Raises ValueError where the patient has no mask and one is needed.
    """

    def __init__(self, subject: PreparedSubject, told: Mapping[tuple[Plane, int], Value | None] | None = None) -> None:
        self.subject = subject
        self._told = told
        self._slices: dict[tuple[Plane, int], SliceTruth] = {}
        self._regional: dict[str, SubjectTruth] = {}

    def of(self, task: str) -> "SubjectTruth":
        """The truth of a task: the same of all tasks but those that are asked of one region."""
        region = TASKS[task].region_name
        if region is None:
            return self
        return self._regional.setdefault(region, SubjectTruth(TASKS[task].asked_of(self.subject)))

    @cached_property
    def volume(self) -> Area:
        """The region of the tumour that is asked about."""
        return Area(self.subject.tumour)

    def region(self, region: RegionName) -> Area:
        """One of the tumour's regions that a model distinguishes, as a volume."""
        return Area(self.subject.part(region))

    def slice(self, frame: SliceFrame) -> SliceTruth:
        """The truth of one slice."""
        key = (frame.plane, frame.index)
        if key not in self._slices:
            value = cut(self.volume.pixels, frame) if self._told is None else self._told[key]
            self._slices[key] = SliceTruth(value, frame)
        return self._slices[key]


def cut(voxels: NDArray[np.bool_], frame: SliceFrame) -> Mask:
    """One slice of a volume of voxels."""
    pixels: NDArray[Any] = take_slice(voxels, frame.plane, frame.index)
    return Mask(frame, np.ascontiguousarray(pixels))


def fill(value: Value | None, frame: SliceFrame) -> NDArray[np.bool_]:
    """The pixels of a value; none of them where there is no value."""
    return np.zeros(frame.shape, dtype=bool) if value is None else to_mask(value).pixels
