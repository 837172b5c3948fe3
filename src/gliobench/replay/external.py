"""External answers: what was asked about, what was said, to the letter, and what is true there, where that is known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import Plane, SliceFrame
from gliobench.models.base.operating_point import ClassProbability
from gliobench.replay.errors import ReplayError
from gliobench.scoring.votes import Votes
from gliobench.tasks.answer import Answer
from gliobench.tasks.base import Task
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Value
from gliobench.tasks.registry import task_about

SIZE_PX, SPACING_MM = 128, 1.0  # of a slice whose file says no more
NOTHING_CAME = "nothing came back"


@dataclass(frozen=True)
class Place:
    """What was asked: the task about one slice of a patient, or about the whole patient (no plane, no index)."""

    subject: str
    task: str
    plane: Plane | None = None
    index: int | None = None
    repeat: int = 0


@dataclass(frozen=True)
class ExternalAnswer:
    """One answer to a task about a slice, or about the whole patient (`plane` and `index` None).

    `text`: what the model said, of a whole patient's mask its file; None: nothing came back. `path`, `line`: where it
    stands, lines counted from 1. `repeat`: counts answers to the same input, from 0. `truth`: the target of the task in
    this slice, None where the slice has no tumour, or nobody says. `answer`: what is known of it without reading the
    text again. `shape`: rows and columns of the slice as it was shown, None where the file does not say. `gap_mm`: from
    a slice to its neighbour. `content`: digest of the image. `probability`: of the classes. `reader`: who gave it, of
    several.
    """

    subject: str
    task: str
    text: str | None
    path: Path
    line: int
    plane: Plane | None = None
    index: int | None = None
    repeat: int = 0
    truth: Value | None = None
    answer: Answer | None = None
    shape: tuple[int, int] | None = None
    spacing_mm: tuple[float, float] = (SPACING_MM, SPACING_MM)
    gap_mm: float = 1.0
    content: str | None = None
    probability: ClassProbability | None = None
    tokens: int | None = None
    finish: str | None = None
    reader: str | None = None

    @cached_property
    def place(self) -> Place:
        """What it answers."""
        return Place(self.subject, self.task, self.plane, self.index, self.repeat)

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.path}:{self.line}"

    @cached_property
    def frame(self) -> SliceFrame:
        """The slice that it is about."""
        assert self.plane is not None
        assert self.index is not None
        return SliceFrame(self.plane, self.index, self.shape or (SIZE_PX, SIZE_PX), self.spacing_mm)

    @property
    def about(self) -> str:
        """What it is about, in words."""
        slice_words = f", {self.plane} slice {self.index}, repeat {self.repeat}" if self.plane else ""
        return f"{self.subject}, {self.task}{slice_words}"


def by_place(answers: Iterable[ExternalAnswer], remedy: str) -> dict[Place, ExternalAnswer]:
    """Answers by what was asked. Raises ReplayError, with what to do, where a question is answered twice."""
    found: dict[Place, ExternalAnswer] = {}
    for answer in answers:
        first = found.setdefault(answer.place, answer)
        if first is not answer:
            raise ReplayError(f"{answer.where}: {answer.about} is answered in {first.where} already: {remedy}")
    return found


def check_one_volume(answers: Sequence[ExternalAnswer]) -> None:
    """Raise ReplayError where a patient's answers are about slices of several planes or sizes, which make no volume."""
    first = answers[0].frame
    for answer in answers:
        own = answer.frame
        if (own.plane, own.shape, own.spacing_mm) != (first.plane, first.shape, first.spacing_mm):
            raise ReplayError(
                f"{answer.where}: {answer.subject} has slices of several planes or sizes "
                f"({first.plane} {first.shape}, {own.plane} {own.shape}): score each by itself"
            )


@dataclass(frozen=True)
class ExternalAnswers:
    """All answers to one task. `silent`: patients with a file that holds no answer; nobody knows their truth from it.

    `gaps`: numbers that are missing among the patients' numbers. `tallies`: by patient, where the files count votes.
    `coordinates`: how the model counts places. `remarks`: what else a reader of the figures has to know, in sentences.
    `problem`: what was asked about.
    """

    task: str
    layout: str
    source: Path
    answers: Sequence[ExternalAnswer]
    silent: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    tallies: Mapping[str, Votes] = field(default_factory=dict)
    coordinates: Coordinates = AS_ASKED
    remarks: tuple[str, ...] = ()
    problem: Problem = GLIOMA

    @property
    def asked(self) -> Task:
        """The task, of the problem."""
        return task_about(self.problem, self.task)

    @cached_property
    def by_subject(self) -> dict[str, list[ExternalAnswer]]:
        """Answers by patient, in the order of the files."""
        found: dict[str, list[ExternalAnswer]] = {}
        for answer in self.answers:
            found.setdefault(answer.subject, []).append(answer)
        return found

    @cached_property
    def firsts(self) -> dict[str, list[ExternalAnswer]]:
        """The first answer to every input by patient: what both protocols score."""
        every = {subject: [one for one in answers if one.repeat == 0] for subject, answers in self.by_subject.items()}
        return {subject: answers for subject, answers in every.items() if answers}
