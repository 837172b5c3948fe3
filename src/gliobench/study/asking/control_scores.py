"""What is made of the answers about changed images: paired with those about the patients' own."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from gliobench.grid.controls import CONTROLS
from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.records.record import Record, record_answer
from gliobench.records.value import Arrays
from gliobench.study.asking.aggregate import aggregations
from gliobench.study.asking.answers import answered_items, control_answers, current_answers
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.state.context import Context
from gliobench.study.state.folder import fingerprint

if TYPE_CHECKING:
    from gliobench.scoring.aggregate import Aggregation
    from gliobench.scoring.controls import ControlScores, Pair
    from gliobench.scoring.score import SubjectScores

Place = tuple[str, str, Plane | None, int | None]  # a scan, a task and a slice


def score_controls(context: Context) -> "ControlScores | None":
    """Whether answers change with the image, and what they are worth on mirror images; None where the study asks no
    controls. Raises StageError before `predict` has finished."""
    import pandas as pd

    from gliobench.scoring.controls import GAPS, ControlScores, measure, mirror_gaps

    controls = context.study.controls
    if controls is None:
        return None
    names, tasks, problem = [one.name for one in context.study.models], context.study.tasks, context.study.problem
    gaps = [
        mirror_gaps(_on_mirror_images(context, name), name, names, problem, tasks)
        for name in controls.images
        if CONTROLS[name].mirrors
    ]
    found = pd.concat(gaps, ignore_index=True) if gaps else pd.DataFrame(columns=list(GAPS))
    return ControlScores(measure(_pairs(context)), found)


def controls_digest(context: Context) -> str:
    """Fingerprint of all answers about changed images. Raises StageError before `predict` has finished."""
    assert context.study.controls is not None
    return fingerprint(
        asked=context.study.controls.model_dump(),
        answers={
            config.name: [
                (one.key, one.kind, one.value, one.score, one.probabilities)
                for one in control_answers(context, config.name)
            ]
            for config in context.study.models
        },
    )


def _pairs(context: Context) -> Iterator["Pair"]:
    from gliobench.scoring.controls import Pair
    from gliobench.scoring.score import VOLUME

    arrays = Arrays(context.folder.masks)
    for config in context.study.models:
        own = _own(context, config)
        for record in control_answers(context, config.name):
            subject, control = context.subjects[record.subject], CONTROLS[record.control or ""]
            mine = own[_own_place(record, subject)]
            yield Pair(
                model=record.model,
                task=record.task,
                plane=record.plane or VOLUME,
                control=control.name,
                mirrors=control.mirrors,
                patient=subject.patient,
                own=record_answer(mine, subject, arrays),
                altered=record_answer(record, subject, arrays),
                problem=subject.problem,
                probability_change=_largest_change(mine, record),
            )


def _largest_change(own: Record, altered: Record) -> float:
    """The largest difference between two answers' probabilities of a class; NaN where one gives none."""
    pairs = zip(_probabilities(own), _probabilities(altered), strict=False)  # an answer that failed has none
    return max((abs(one - other) for one, other in pairs), default=math.nan)


def _probabilities(record: Record) -> tuple[float, ...]:
    return record.probabilities or (() if record.score is None else (record.score,))


def _on_mirror_images(context: Context, control: str) -> Iterator["SubjectScores"]:
    """The answers about mirror images against the mirrored truth, and those to the same questions about the patients'
    own images."""
    from gliobench.scoring.controls import mirror_name

    how = {id: found for round in context.rounds for found in [aggregations(context, round)] for id in round.test}
    for config in context.study.models:
        own = _own(context, config)
        by_scan: dict[str, list[Record]] = {}
        for record in control_answers(context, config.name):
            if record.control == control:
                by_scan.setdefault(record.subject, []).append(record)
        for id, records in by_scan.items():
            subject = context.subjects[id]
            mirrored = CONTROLS[control].alter(subject, ())
            assert mirrored is not None
            mine = [own[_own_place(record, subject)] for record in records]
            own_how = {plane: one for (name, plane), one in how[id].items() if name == config.name}
            yield _scored(context, subject, mine, config.name, own_how)
            yield _scored(context, mirrored, records, mirror_name(config.name, control), own_how)


def _scored(
    context: Context, subject: PreparedSubject, records: list[Record], name: str, how: "dict[str, Aggregation]"
) -> "SubjectScores":
    from gliobench.scoring.controls import of_first_metrics
    from gliobench.scoring.score import VOLUME, score_subject

    items = [replace(item, model=name) for item in answered_items(context, subject, records)]
    scores = score_subject(subject, items, {}, {(name, plane): one for plane, one in how.items()})
    return of_first_metrics(scores, records[0].plane or VOLUME)


def _own(context: Context, config: ModelConfig) -> dict[Place, Record]:
    return {(one.subject, one.task, one.plane, one.index): one for one in current_answers(context, config.name)}


def _own_place(record: Record, subject: PreparedSubject) -> Place:
    """The place of the question about the patient's own image that one about a changed image belongs to."""
    index = record.index
    if record.plane is not None and index is not None:
        index = CONTROLS[record.control or ""].index(record.plane, index, subject.shape[INDEX_AXIS[record.plane]])
    return record.subject, record.task, record.plane, index
