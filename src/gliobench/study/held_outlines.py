"""Truth and held answers in three dimensions: of every model one patient for the report, any patient on demand."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.frame import Plane
from gliobench.study.config import StudyError
from gliobench.study.lacking import held_here
from gliobench.study.outlines import MOST_SLICES, file_name
from gliobench.study.replay_parts import ReplayPart, Replication
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Box, Mask, Point, Polygon

if TYPE_CHECKING:
    from gliobench.replay.held import Held
    from gliobench.replay.outcome import Outcome
    from gliobench.report.contents import OutlineItem

# What runs along the three axes, width, height and depth of the volume: where a slice lies in the body is not known.
AXES: dict[Plane, tuple[str, str, str]] = {
    "axial": ("columns", "rows", "slices"),
    "coronal": ("columns", "slices", "rows, upwards"),
    "sagittal": ("slices", "columns", "rows, upwards"),
}


def middle_outlines(outcomes: Sequence["Outcome"]) -> Iterator["OutlineItem"]:
    """Of every model that was asked for a place the patient in the middle by the task's first standard figure."""
    from gliobench.report.metrics import PRIMARY

    for outcome in outcomes:
        task = outcome.held.task
        if task == "grade" or outcome.standard is None:
            continue
        table = outcome.standard.scores.per_subject
        table = table[(table["task"] == task) & (table["metric"] == PRIMARY[task][0])]
        ordered = table.sort_values(["value", "subject"])["subject"]
        yield _item(outcome.name, outcome.held, str(ordered.iloc[len(ordered) // 2]))


def write_held_figures(study: Replication, subject: str, models: Collection[str] | None, folder: Path) -> list[Path]:
    """Draw one patient's truth with the answers of each of `models`, or of all asked for a place; returns the files.

    Raises StudyError for a model that the study has not, and a patient of whom none of them says anything.
    """
    from gliobench.replay.read import read_held
    from gliobench.report.outlines import write_outlines

    study, _ = held_here(study)
    parts = [part for part in study.replay if part.task != "grade"]
    if unknown := sorted(set(models or ()) - {part.name for part in parts}):
        names = ", ".join(part.name for part in parts)
        raise StudyError(f"no model named {', '.join(unknown)} was asked for a place; these were: {names}")
    wanted: list[ReplayPart] = [part for part in parts if not models or part.name in models]
    held = {
        part.name: read_held(part.answers, part.task, part.plane, part.coordinates.to_coordinates()) for part in wanted
    }
    own = {name: answers for name, answers in held.items() if subject in answers.firsts}
    if not own:
        known = sorted({id for answers in held.values() for id in answers.firsts})
        raise StudyError(f"{subject}: no centre, box or polygon of {', '.join(held)}; there are: {', '.join(known)}")
    paths = []
    for name, answers in own.items():
        paths.append(folder / file_name(subject, name))
        write_outlines(_item(name, answers, subject), paths[-1])
    return paths


def _item(name: str, held: "Held", subject: str) -> "OutlineItem":
    from gliobench.replay.standard import read_answer, stand_in
    from gliobench.report.contents import OutlineItem

    about = held.firsts[subject]
    plane = about[0].frame.plane
    depth, height, width = stand_in(held.task, subject, about).spacing_mm
    affine = np.array([[0, 0, width, 0], [0, height, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    read = [read_answer(held, answer) for answer in about]
    step = -(-len(about) // MOST_SLICES)
    truths = [answer.truth for answer in about[::step]]
    answers = [answer.value for answer in read[::step] if isinstance(answer, Answered)]
    return OutlineItem(
        subject=subject,
        grade=None,
        model=name,
        task=held.task,
        plane=plane,
        affine=affine,
        truth=[truth for truth in truths if isinstance(truth, Box | Polygon)],
        answer=[value for value in answers if isinstance(value, Point | Box | Polygon | Mask)],
        per_slice=True,
        n_asked=len(about),
        n_answered=sum(isinstance(answer, Answered) for answer in read),
        axes=AXES[plane],
    )
