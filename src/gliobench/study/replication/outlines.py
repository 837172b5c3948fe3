"""Truth and recorded answers in three dimensions: of every model one patient for the report, any patient on demand."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gliobench.grid.frame import Plane, SliceFrame
from gliobench.study.config.replay import ReplayConfig, Replication
from gliobench.study.config.study import StudyError
from gliobench.study.showing.atlas import Plate, evenly
from gliobench.study.showing.outlines import MOST_SLICES, file_name
from gliobench.study.state.lacking import check_external_files
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Placed, Value
from gliobench.tasks.mask import empty
from gliobench.tasks.registry import TASKS

if TYPE_CHECKING:
    from gliobench.replay.external import ExternalAnswer, ExternalAnswers
    from gliobench.replay.outcome import Outcome
    from gliobench.report.contents import GalleryItem, OutlineItem

# What runs along the three axes, width, height and depth of the volume: where a slice lies in the body is not known.
AXES: dict[Plane, tuple[str, str, str]] = {
    "axial": ("columns", "rows", "slices"),
    "coronal": ("columns", "slices", "rows, upwards"),
    "sagittal": ("slices", "columns", "rows, upwards"),
}


def middle_outlines(outcomes: Sequence["Outcome"]) -> Iterator["OutlineItem"]:
    """Of every model that was asked for a place the patient in the middle by the task's first standard figure."""
    from gliobench.report.metrics import primary

    for outcome in outcomes:
        task = outcome.external.task
        if not TASKS[task].has_place or outcome.standard is None:
            continue
        table = outcome.standard.scores.per_subject
        table = table[(table["task"] == task) & (table["metric"] == primary(task)[0])]
        ordered = table.sort_values(["value", "subject"])["subject"]
        yield _item(outcome.name, outcome.external, str(ordered.iloc[len(ordered) // 2]))


def write_external_figures(
    study: Replication, subject: str, models: Collection[str] | None, folder: Path
) -> list[Path]:
    """Draw one patient's truth with the answers of each of `models`, or of all asked for a place; returns the files.

    Raises StudyError for a model that the study has not, and a patient of whom none of them says anything.
    """
    from gliobench.report.outlines import write_outlines

    external = _held(study, models)
    own = {name: answers for name, answers in external.items() if subject in answers.firsts}
    if not own:
        known = sorted({id for answers in external.values() for id in answers.firsts})
        raise StudyError(
            f"{subject}: no centre, box or polygon of {', '.join(external)}; there are: {', '.join(known)}"
        )
    paths = []
    for name, answers in own.items():
        paths.append(folder / file_name(subject, name))
        write_outlines(_item(name, answers, subject), paths[-1])
    return paths


def all_external_plates(study: Replication, models: Collection[str] | None) -> tuple[list[Plate], list[str]]:
    """Every patient of whom something there is to draw, by id, and the models that were asked for a place, in the
    study's order. Raises StudyError for a model that the study has not."""
    external = _held(study, models)
    ids = sorted({id for answers in external.values() for id in answers.firsts})
    return [_plate({name: one for name, one in external.items() if id in one.firsts}, id) for id in ids], list(external)


def _plate(external: Mapping[str, "ExternalAnswers"], subject: str) -> Plate:
    said = {
        name: [one.task, one.coordinates, [(a.frame, a.truth, a.text) for a in one.firsts[subject]]]
        for name, one in external.items()
    }

    def drawn_outlines() -> Iterator["OutlineItem"]:
        return (_item(name, one, subject) for name, one in external.items())

    return Plate(subject, None, said, drawn_outlines, lambda: _slices(external, subject))


def _slices(external: Mapping[str, "ExternalAnswers"], subject: str) -> Iterator["GalleryItem"]:
    """A few slices of each task, all models that were asked it together where they have the same truth."""
    from gliobench.report.contents import GalleryItem

    for task in dict.fromkeys(one.task for one in external.values()):
        answers: dict[tuple[SliceFrame, Value | None], dict[str, Value | None]] = {}
        for name, one in external.items():
            for answer in one.firsts[subject] if one.task == task else ():
                answers.setdefault((answer.frame, answer.truth), {})[name] = _drawn(one, answer)
        chosen = evenly(sorted({frame.index for frame, _ in answers}))
        for (frame, truth), own in sorted(answers.items(), key=lambda pair: pair[0][0].index):
            if frame.index in chosen:
                yield GalleryItem(
                    subject=subject,
                    grade=None,
                    plane=frame.plane,
                    index=frame.index,
                    image=np.zeros(frame.shape, dtype=np.uint8),  # nobody holds the images
                    truth=truth if isinstance(truth, Placed) else empty(frame),
                    answers=own,
                    task=task,
                )


def _drawn(external: "ExternalAnswers", answer: "ExternalAnswer") -> Value | None:
    """What was answered, an empty mask where it says that there is no tumour; None where it cannot be used."""
    from gliobench.replay.standard import read_answer

    read = read_answer(external, answer)
    return (read.value or empty(answer.frame)) if isinstance(read, Answered) else None


def _held(study: Replication, models: Collection[str] | None) -> dict[str, "ExternalAnswers"]:
    """The answers of each of `models`, or of all that were asked for a place."""
    from gliobench.replay.read import read_external

    study, _ = check_external_files(study)
    parts = [config for config in study.replay if TASKS[config.task].has_place]
    if unknown := sorted(set(models or ()) - {config.name for config in parts}):
        names = ", ".join(config.name for config in parts)
        raise StudyError(f"no model named {', '.join(unknown)} was asked for a place; these were: {names}")
    wanted: list[ReplayConfig] = [config for config in parts if not models or config.name in models]
    return {
        config.name: read_external(config.answers, config.task, config.plane, config.coordinates, study.problem)
        for config in wanted
    }


def _item(name: str, external: "ExternalAnswers", subject: str) -> "OutlineItem":
    from gliobench.replay.standard import read_answer, stand_in
    from gliobench.report.contents import OutlineItem

    about = external.firsts[subject]
    plane = about[0].frame.plane
    depth, height, width = stand_in(external, subject, about).spacing_mm
    affine = np.array([[0, 0, width, 0], [0, height, 0, 0], [depth, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    read = [read_answer(external, answer) for answer in about]
    step = -(-len(about) // MOST_SLICES)
    truths = [answer.truth for answer in about[::step]]
    answers = [answer.value for answer in read[::step] if isinstance(answer, Answered)]
    return OutlineItem(
        subject=subject,
        grade=None,
        model=name,
        task=external.task,
        plane=plane,
        affine=affine,
        truth=[truth for truth in truths if isinstance(truth, Placed)],
        answer=[value for value in answers if isinstance(value, Placed)],
        per_slice=True,
        n_asked=len(about),
        n_answered=sum(isinstance(answer, Answered) for answer in read),
        axes=AXES[plane],
    )
