"""External answers: what was asked about, what is true there, and what was said, to the letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gliobench.grid.frame import SliceFrame
from gliobench.replay.errors import ReplayError
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.geometry import Value


@dataclass(frozen=True)
class ExternalAnswer:
    """One answer. `truth`: the target of the task in this slice, None where the slice has no tumour.

    `text`: what the model said, None where nothing came back. `repeat`: counts answers to the same input, from 0.
    `path`, `line`: where it stands, lines counted from 1. `answer`: what the run that asked made of the text; None: it
    is still to be read. `gap_mm`: from a slice to its neighbour.
    """

    subject: str
    frame: SliceFrame
    truth: Value | None
    text: str | None
    path: Path
    line: int
    repeat: int = 0
    answer: Answer | None = None
    gap_mm: float = 1.0


def check_one_volume(answers: Sequence[ExternalAnswer]) -> None:
    """Raise ReplayError where a patient's answers are about slices of several planes or sizes, which make no volume."""
    first = answers[0].frame
    for answer in answers:
        own = answer.frame
        if (own.plane, own.shape, own.spacing_mm) != (first.plane, first.shape, first.spacing_mm):
            raise ReplayError(
                f"{answer.path}:{answer.line}: {answer.subject} has slices of several planes or sizes "
                f"({first.plane} {first.shape}, {own.plane} {own.shape}): score each by itself"
            )


@dataclass(frozen=True)
class Tally:
    """The votes [LGG, HGG, no glioma, unread] that a file itself counts for its patient."""

    lgg: int
    hgg: int
    no_glioma: int
    unread: int


@dataclass(frozen=True)
class ExternalAnswers:
    """All answers to one task. `silent`: patients with a file that holds no answer; nobody knows their truth from it.

    `gaps`: numbers that are missing among the patients' numbers. `tallies`: by patient, where the files count votes.
    `coordinates`: how the model counts places. `remarks`: what else a reader of the figures has to know, in sentences.
    """

    task: str
    layout: str
    source: Path
    answers: Sequence[ExternalAnswer]
    silent: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    coordinates: Coordinates = AS_ASKED
    remarks: tuple[str, ...] = ()

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
