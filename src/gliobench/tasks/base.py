"""What a task is: everything about one question, so that no other code asks which task it is."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import SliceFrame, take_slice
from gliobench.grid.prepared import PreparedSubject, asked_about
from gliobench.grid.regions import Region, region_named
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.prompt import Prompt, own_prompt

Ring = Sequence[tuple[float, float]]
NUMBER = "[0-9]{1,3}"
OF = " of "  # between a task's name and its region's


@dataclass(frozen=True)
class Numbers:
    """How the numbers of an answer are written, as regular expressions that all grammars support.

    `row`, `column`, `run`: a row, a column, and the first and last column of a run. `runs`, `lines`: how many more runs
    a line of a mask may have than one, and how many more lines a mask, as quantifiers.
    """

    row: str = NUMBER
    column: str = NUMBER
    run: str = f"{NUMBER}-{NUMBER}"
    runs: str = "*"
    lines: str = "*"

    @property
    def pair(self) -> str:
        """`(row, column)`."""
        return rf"\({self.row}, {self.column}\)"


@dataclass(frozen=True)
class Drawing:
    """The drawing of a value over its slice: closed rings of (row, column) in pixels centred on whole numbers, the last
    point joined to the first; a cross at a point; words where there is nothing to draw."""

    rings: Sequence[Ring] = ()
    cross: tuple[float, float] | None = None
    words: str = ""


class Known(Protocol):
    """The known truth of a patient: its grade, and its mask in any form; None where unknown."""

    @property
    def grade(self) -> int | None: ...

    @property
    def labels(self) -> object | None: ...


class Task(ABC):
    """One question about a slice or a patient.

    `summary`: what is asked for, in a line. `value_type`: the class of its values. `expected`: what its parser expects,
    with an example. `json_key`: a value's key in JSON. `shape`: of a value as an array of plain numbers, -1 for any
    length. `truth_words`: the truth that it needs of a patient; `truth_format`: how that is written in a table of
    recorded answers. `compared_as`: what metrics compare (`AnswerMetric.of`). `primary`: the main metrics. `in_words`:
    whether language models are asked it by default, and recorded texts can be scored. `has_place`: whether values have
    a location in a slice, so that they can be drawn; `has_area`: whether they have an area. `in_coordinates`: whether
    answers are coordinates, which some models count in their own way. `choices`: all values, where they can be listed,
    so that their probabilities can be compared. `derived_from`: by the name of a finer task, how its values become
    values of this one, None where nothing is left. `problem`: what the study is about (`about`). `region_name`: of a
    task that is asked of one region whatever the study is asked of (`of_region`), else None.
    """

    name: str
    summary: ClassVar[str]
    value_type: ClassVar[type[Value]]
    expected: ClassVar[str]
    json_key: ClassVar[str]
    shape: ClassVar[tuple[int, ...]] = ()
    compared_as: ClassVar[str]
    primary: ClassVar[tuple[str, ...]]
    in_words: ClassVar[bool] = True
    has_place: ClassVar[bool] = True
    in_coordinates: ClassVar[bool] = False
    has_area: ClassVar[bool] = False
    choices: Sequence[Value] = ()
    truth_words: str = "a mask"
    truth_format: str = "a value as JSON"
    problem: Problem = GLIOMA
    region_name: str | None = None

    def of_region(self, region_name: str) -> Self:
        """The task asked of one region, `<task> of <region>`. Raises ValueError for a task that is not about places."""
        if not self.has_place:
            raise ValueError(f"{self.name} is about the whole patient, and cannot be asked of {region_name}")
        task = copy.copy(self)
        task.name, task.region_name = f"{self.name}{OF}{region_name}", region_name
        return task

    @property
    def plain_name(self) -> str:
        """Its name without its region's."""
        return type(self).name

    @property
    def own_region(self) -> Region | None:
        """The region of its own. Raises ValueError for one that the problem has not."""
        return None if self.region_name is None else region_named(self.problem, self.region_name)

    def asked_of(self, subject: PreparedSubject) -> PreparedSubject:
        """A patient as the task asks about it: its tumour is the region of the task."""
        return (
            subject
            if self.region_name is None
            else asked_about(subject, region_named(subject.problem, self.region_name))
        )

    def about(self, problem: Problem) -> Self:
        """The task in a study of a problem: with its words, its classes and its images."""
        task = copy.copy(self)
        task.problem = problem
        return task

    @property
    def derived_from(self) -> Mapping[str, Callable[[Any], Value | None]]:
        return {}

    # How it is asked.

    @property
    def prompt(self) -> Prompt:
        """The prompt, of the whole target."""
        return own_prompt(self.plain_name)

    @property
    def region_prompt(self) -> Prompt:
        """The prompt for any problem and region, with `{region}` for what is asked about and `{scan}` for the image."""
        return own_prompt(f"{self.plain_name}-of-region")

    def prompt_about(self, region: Region) -> Prompt:
        """The prompt in a study of a region of the target, or of the whole; a region of the task's own comes first."""
        region = self.own_region or region
        own = region.whole and self.problem.prompts == GLIOMA.prompts
        return self.prompt if own else self.region_prompt.of(region, self.problem)

    # What is right.

    def has_truth(self, subject: Known) -> bool:
        """Whether the truth of a patient is known."""
        if self.region_name is None or not isinstance(subject, PreparedSubject):
            return subject.labels is not None
        return subject.tells(region_named(subject.problem, self.region_name))

    def truth(self, subject: PreparedSubject, frame: SliceFrame) -> Value | None:
        """The true answer about a slice, in its own pixels; None where it has no tumour. Needs `has_truth`."""
        tumour = self.asked_of(subject).tumour
        return self.of_mask(Mask(frame, np.ascontiguousarray(take_slice(tumour, frame.plane, frame.index))))

    def of_mask(self, mask: Mask) -> Value | None:
        """The answer from the mask of a slice's tumour, or of the region that is asked about; None where it is empty.
        Raises TypeError for a task without an answer in a mask."""
        raise TypeError(f"{self.name} cannot be read from a mask")

    @property
    def truth_task(self) -> "Task":
        """The task of the truth values in a table of recorded answers."""
        return self

    # Texts.

    @abstractmethod
    def write(self, value: Any) -> str:
        """The exact text of an answer in the prompt's format, in whole pixels. Raises TypeError for another task's."""

    @abstractmethod
    def parse(self, text: str, frame: SliceFrame, cut_off: bool, coordinates: Coordinates = AS_ASKED) -> Answer:
        """The typed answer of any text; `cut_off`: the token limit ended it; `coordinates`: the model's coordinate
        convention."""

    @abstractmethod
    def pattern(self, numbers: Numbers) -> str:
        """The prompt's format as a regular expression, for constrained answers."""

    @abstractmethod
    def longest(self, shape: tuple[int, int]) -> str:
        """The longest text that matches `pattern` inside an image of `shape` (rows, columns)."""

    def expect(self, value: Any) -> None:
        """Raise TypeError for a value of another task."""
        if not isinstance(value, self.value_type):
            raise TypeError(f"{self.name} expects a {self.value_type.__name__}, got a {type(value).__name__}")

    # Values.

    @abstractmethod
    def to_json(self, value: Any) -> Any:
        """A value of one slice in plain JSON, for `json_key`."""

    @abstractmethod
    def from_json(self, content: Any, frame: SliceFrame | None) -> Value:
        """The inverse of `to_json`. Raises ValueError for anything else."""

    def of_plain(self, content: Any, frame: SliceFrame | None) -> Value | None:
        """The value from plain numbers (a number, lists of them or an array), None for None. Raises ValueError or
        TypeError for anything else."""
        if content is None:
            return None
        numbers = np.asarray(content, dtype=float)
        known = [known for known, size in zip(self.shape, numbers.shape, strict=False) if known in (-1, size)]
        if not len(known) == len(self.shape) == numbers.ndim:
            raise ValueError(f"an array of shape {numbers.shape}")
        return self.from_json(numbers.tolist(), frame)

    def exact(self, value: Any) -> str:
        """A value as exact text, shorter than JSON: two answers are equal where these texts are."""
        content = self.to_json(value)
        groups = content if content and isinstance(content[0], list) else [content]
        return " ".join(f"({', '.join(f'{number:.10g}' for number in numbers)})" for numbers in groups)

    def enlarge(self, value: Value, scale: int) -> Value:
        """A value of a slice in the pixels of the same slice shown `scale` times as large."""
        return value

    def reduce(self, value: Value, frame: SliceFrame, scale: int) -> Value:
        """The inverse: from the pixels of a slice shown `scale` times as large to those of `frame`."""
        return value

    def fill(self, value: Any) -> Mask:
        """The pixels of a value inside its frame. Raises TypeError for one that is not an area."""
        raise TypeError(f"a {type(value).__name__} has no area; expected a value of a task with areas")

    @abstractmethod
    def drawn(self, value: Any) -> Drawing:
        """The drawing of a value over its slice."""
