"""External answers, scored: under the standard protocol, the published one, or both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import Plane
from gliobench.replay.external import ExternalAnswers
from gliobench.replay.published import PublishedScores, score_published
from gliobench.replay.read import read_external
from gliobench.replay.repeated import measure_external
from gliobench.replay.standard import StandardScores, score_standard
from gliobench.scoring.consistency import Consistency
from gliobench.scoring.conventions import Said, suspicion
from gliobench.scoring.intervals import Figure
from gliobench.scoring.summary import figures_of
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.mask import MASK
from gliobench.tasks.registry import TASKS

ProtocolName = Literal["standard", "published", "both"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One set of answers to one task and what they are worth; a protocol that was not asked for is None.

    `consistency`: how alike the answers to one input are; None where nothing was answered more than once. `suspicion`:
    a warning where the model seems to count in another way than its answers are read.
    """

    name: str
    external: ExternalAnswers
    standard: StandardScores | None
    published: PublishedScores | None
    consistency: Consistency | None
    suspicion: str | None = None


@dataclass(frozen=True)
class Side:
    """The figures of one protocol with what they rest on. `left_out`: patients without figures, and why."""

    figures: Mapping[str, Figure]
    n_asked: int
    n_answered: int
    n_subjects: int
    left_out: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Answered questions among those asked."""
        return self.n_answered / self.n_asked if self.n_asked else 0.0


def replay(
    source: Path,
    task: str,
    protocol: ProtocolName,
    plane: Plane = "axial",
    name: str | None = None,
    coordinates: Coordinates = AS_ASKED,
    problem: Problem = GLIOMA,
) -> Outcome:
    """Read and score the answers in `source`. `name`: of the model, else the folder's. Raises ReplayError."""
    called = name or (source.name if source.is_dir() else source.stem)
    return score_external(read_external(source, task, plane, coordinates, problem), called, protocol)


def score_external(external: ExternalAnswers, called: str, protocol: ProtocolName) -> Outcome:
    """Score answers that were read, under the name of their model. Raises ReplayError."""
    return Outcome(
        called,
        external,
        score_standard(external, called) if protocol != "published" else None,
        score_published(external) if protocol != "standard" else None,
        measure_external(external, called),
        suspicion(called, list(_said(external)), external.coordinates),
    )


def _said(external: ExternalAnswers) -> Iterator[Said]:
    """The first text about every slice with tumour, where the task is a place."""
    for answer in external.answers if TASKS[external.task].in_coordinates else ():
        # What a run asked, its own `score` holds against the truth, in the pixels that were shown.
        if answer.answer is None and answer.text and answer.truth is not None and answer.repeat == 0:
            yield Said(external.task, answer.text, answer.frame, answer.truth)


def published_side(outcome: Outcome) -> Side:
    """The published figures."""
    assert outcome.published is not None
    found = outcome.published
    return Side(found.figures, found.n_asked, found.n_answered, found.n_subjects, found.left_out)


def standard_side(outcome: Outcome, *, stacked: bool = False) -> Side:
    """The standard figures of the task itself; `stacked`: of its answers as one volume a patient."""
    assert outcome.standard is not None
    table = outcome.standard.scores.summary
    task = MASK.name if stacked else outcome.external.task
    rows = table[(table["task"] == task) & (table["source"] == outcome.external.task)]
    nobody = [f"{subject}: an empty file" for subject in outcome.external.silent]
    nobody += [f"{subject}: no file" for subject in outcome.external.gaps]
    asked, answered, subjects = (int(rows[column].max()) for column in ("n_asked", "n_answered", "n_subjects"))
    return Side(figures_of(rows), asked, answered, subjects, tuple(nobody))
