"""What a vision-language model sees of a slice, how the prompt describes it, and in which pixels the model answers.

A model counts rows and columns as the slice is shown to it: `View.shown_frame` is the frame in which its answer is
read, `View.to_frame` maps the answer to the slice's own pixels, `View.from_frame` maps a truth to the pixels that the
model should answer in.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gliobench.cohort.problem import GLIOMA, ImageName, Problem
from gliobench.grid.frame import INDEX_AXIS, SliceFrame
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.slices import grey_slice
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import TOLD, Question
from gliobench.models.views.asking import asked_frame, check_names
from gliobench.models.views.layout import Grid, Layout, Panel
from gliobench.models.views.registry import LAYOUTS
from gliobench.models.views.ticks import with_ticks
from gliobench.models.views.window import stretched, windowed
from gliobench.ranges import Real, Step, Text, Whole
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import task_of

GAP_PX, GAP_GREY = 4, 128  # between panels
MOST_PX = 1000  # along a side of a slice as shown: an answer's coordinates have at most three digits
TICKS_WORDS = (
    "The numbers in the black margin above and to the left of a picture count its columns and rows; the margin itself "
    "is not counted."
)


@dataclass(frozen=True)
class View:
    """How a slice is shown.

    `name`: one of `LAYOUTS`. `modalities`: images instead of the problem's default for the layout. `slices`: of a
    montage, and `step`: the distance between them. `scale`: every pixel of the slice is shown as scale x scale equal
    ones (nearest neighbour). `window`: greys (1 to 255) that become the darkest and the brightest; `percentiles`: the
    same, as percentiles of the modality's greys in the brain of the whole volume. `stretch`: each slice on its own from
    its darkest pixel, which becomes 0, to its brightest, 255, so that the slices of a patient do not share one scale.
    `ticks`: rows and columns are counted along the edges of each panel, in a margin. `coordinates`: the model's own way
    of counting in the image; any but the prompt's needs a single plain picture. `told`: what a table says of the
    patient, by column, that is written before the prompt. `problem`: whose images are shown. Raises ModelError for a
    bad argument.
    """

    name: str = "grey"
    modalities: tuple[ImageName, ...] = ()
    slices: Whole | None = None
    step: Step = 1
    scale: Annotated[Whole, Field(ge=1, le=1000)] = 1
    window: tuple[Real, Real] | None = None
    percentiles: tuple[Real, Real] | None = None
    stretch: bool = False
    ticks: bool = False
    coordinates: Coordinates = AS_ASKED
    told: tuple[Text, ...] = ()
    problem: Problem = GLIOMA

    def __post_init__(self) -> None:
        check_names("view", {self.name}, LAYOUTS)
        check_names("modality", set(self.modalities), self.problem.names)
        if len(self._modalities) != (wanted := self._layout.modalities):
            raise ModelError(f"view {self.name} shows {wanted} modalities, got {len(self._modalities)}: name {wanted}")
        if self.slices is not None and self.slices not in self._layout.slices:
            known = " or ".join(map(str, self._layout.slices))
            raise ModelError(f"view {self.name} shows {known} slices, got {self.slices}")
        if self.step != 1 and self._slices == 1:
            raise ModelError(f"view {self.name} shows no neighbouring slices: leave out step")
        if self.step < 1 or self.scale < 1:
            raise ModelError(f"view: scale and step must be 1 or more, got {self.scale} and {self.step}")
        if not self.coordinates.as_asked and (self.ticks or len(self._grid) > 1 or len(self._grid[0]) > 1):
            raise ModelError(
                "view: these coordinates are relative to the whole image: show one slice, without ticks or other panels"
            )
        if sum(map(bool, (self.window, self.percentiles, self.stretch))) > 1:
            raise ModelError("view: give one of window, percentiles and stretch")
        for key, most in (("window", 255), ("percentiles", 100)):
            low, high = getattr(self, key) or (0, most)
            if not 0 <= low < high <= most:
                expected = f"two numbers from 0 to {most}, the lower first"
                raise ModelError(f"view: {key} must be {expected}, got {low:g} and {high:g}")

    @property
    def identity(self) -> Mapping[str, str]:
        """Everything of it that can change an answer, as settings. A plain grey slice needs its modality alone."""
        options = {
            "slices": self._slices if self._slices > 1 else None,
            "step": self.step if self.step > 1 else None,
            "scale": self.scale if self.scale > 1 else None,
            "window": self.window and "{:g}-{:g}".format(*self.window),
            "percentiles": self.percentiles and "{:g}-{:g}".format(*self.percentiles),
            "stretch": "yes" if self.stretch else None,
            "ticks": "yes" if self.ticks else None,
        }
        said = [f"{key} {value}" for key, value in options.items() if value]
        shown = {"modality": " ".join(self._modalities), **self.coordinates.identity}
        shown |= {TOLD: json.dumps(self.told)} if self.told else {}
        if self.name == "grey" and not said:
            return shown
        return shown | {"view": " ".join([self.name, self._layout.version, *said])}

    @property
    def coloured(self) -> bool:
        """Whether a pixel's red, green and blue can differ."""
        return any(len(set(panel.colours)) > 1 for row in self._grid for panel in row)

    @property
    def words(self) -> str:
        """The description of the image that precedes the prompt; empty for a plain slice."""
        layout = self._layout.words(self.problem, self._modalities, self._slices, self.step)
        return " ".join(part for part in (layout, TICKS_WORDS if self.ticks else "") if part)

    def words_about(self, subject: PreparedSubject) -> str:
        """What precedes the prompt about a patient: the description of the image, and what the patient's table says."""
        known = [f"{name} {subject.variables[name]}" for name in self.told if name in subject.variables]
        return "\n".join(filter(None, (self.words, f"About the patient: {', '.join(known)}." if known else "")))

    def render(self, question: Question) -> NDArray[np.uint8]:
        """What is shown, (rows, columns, 3) uint8: red, green and blue.

        Raises ModelError for a question about the whole volume, and where a side becomes longer than 1000 pixels.
        """
        frame = asked_frame(question)
        self.check(frame)
        rows = [_joined([self._panel(question, frame, panel) for panel in row], axis=1) for row in self._grid]
        return np.ascontiguousarray(_joined(rows, axis=0))

    def check(self, frame: SliceFrame) -> None:
        """Raise ModelError where a slice of this size cannot be shown."""
        rows, columns = self.shown_frame(frame).shape
        if max(rows, columns) > MOST_PX:
            raise ModelError(
                f"view: scale {self.scale} makes {rows} x {columns} pixels of a slice; at most {MOST_PX} are allowed, "
                "because answers are written with three digits"
            )

    def shown_frame(self, frame: SliceFrame) -> SliceFrame:
        """The frame that the model answers in: one panel at its size in the image."""
        return frame.enlarged(self.scale)

    def to_frame(self, value: Value, frame: SliceFrame) -> Value:
        """A value in `shown_frame(frame)`, in the slice's own pixels; unchanged at scale 1."""
        return value if self.scale == 1 else task_of(value).reduce(value, frame, self.scale)

    def from_frame(self, value: Value) -> Value:
        """A value of the slice in the pixels as shown; unchanged at scale 1."""
        return value if self.scale == 1 else task_of(value).enlarge(value, self.scale)

    @property
    def _layout(self) -> Layout:
        return LAYOUTS[self.name]

    @property
    def _modalities(self) -> tuple[str, ...]:
        return self.modalities or self.problem.shown_in(self.name, self._layout.modalities)

    @property
    def _slices(self) -> int:
        return self.slices or self._layout.slices[0]

    @property
    def _grid(self) -> Grid:
        return self._layout.grid(self._modalities, self._slices)

    def _panel(self, question: Question, frame: SliceFrame, panel: Panel) -> NDArray[np.uint8]:
        """A panel (rows, columns, 3), enlarged and with its ticks; black where the volume has no such slice."""
        index = frame.index + panel.away * self.step
        greys = {colour: self._grey(question, frame, colour, index) for colour in set(panel.colours)}
        large = {colour: grey.repeat(self.scale, axis=0).repeat(self.scale, axis=1) for colour, grey in greys.items()}
        shown = np.stack([large[colour] for colour in panel.colours], axis=-1)
        return with_ticks(shown) if self.ticks else shown

    def _grey(self, question: Question, frame: SliceFrame, modality: str, index: int) -> NDArray[np.uint8]:
        subject = question.subject
        if not 0 <= index < subject.shape[INDEX_AXIS[frame.plane]]:
            return np.zeros(frame.shape, dtype=np.uint8)
        image = grey_slice(subject, modality, frame.plane, index)
        if self.stretch:
            return stretched(image)
        return windowed(image, subject.image_of(modality), self.window, self.percentiles)


def _joined(parts: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    """Images side by side (axis 1) or one below the other (axis 0), a grey gap between them."""
    shape = list(parts[0].shape)
    shape[axis] = GAP_PX
    gap = np.full(shape, GAP_GREY, dtype=np.uint8)
    return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=axis)
