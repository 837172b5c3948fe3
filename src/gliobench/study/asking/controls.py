"""Controls: the questions about changed images that a study puts to its models."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gliobench.grid.controls import CONTROLS
from gliobench.grid.frame import INDEX_AXIS, Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Model, Question
from gliobench.study.asking.questions import asked_slices, can_be_asked
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.controls import ControlsConfig
from gliobench.study.state.context import Context, Round

SHOWN = 5  # patients, in a sentence


def controlled(classes: Mapping[str, int | None], number: int, seed: int) -> list[str]:
    """`number` of the patients of `classes`, drawn with the seed, their classes in turn: among patients of one class
    nobody would find out a model that always says it."""
    ids = list(classes)
    drawn = [ids[place] for place in np.random.default_rng(seed).permutation(len(ids))]
    earlier: dict[int | None, int] = {}
    turns = {}
    for id in drawn:
        turns[id] = earlier[classes[id]] = earlier.get(classes[id], -1) + 1
    return sorted(drawn, key=lambda id: turns[id])[:number]


def spread(indices: Sequence[int], number: int) -> list[int]:
    """`number` of the indices, evenly among them, or all where there are no more."""
    if len(indices) <= number:
        return list(indices)
    return [indices[(2 * place + 1) * len(indices) // (2 * number)] for place in range(number)]


def control_inputs(context: Context, config: ModelConfig) -> Mapping[str, Any]:
    """What decides which of these questions a model is asked, for the fingerprint of `predict`."""
    controls = context.study.controls
    if controls is None:
        return {}
    asked = {
        **controls.model_dump(),
        "versions": [CONTROLS[name].version for name in controls.images],
        "seed": context.study.split.seed,
        "grades": [context.subjects[id].grade for id in context.tested],
    }
    return {"controls": asked if config.sees_image_alone(context.study) else None}


def control_questions(
    context: Context, config: ModelConfig, model: Model, round: Round, plane: Plane | None
) -> Iterator[tuple[str, list[Question]]]:
    """By control, the questions to a model about a round's patients: about slices of `plane`, where that is the study's
    first one, or about whole patients. One control after the other, so that the images of one alone are in memory."""
    controls = context.study.controls
    if controls is None or plane not in (None, context.study.slices.planes[0]):
        return
    if not config.sees_image_alone(context.study):
        return
    places = _places(context, config, controls, [task for task in context.study.tasks if task in model.tasks], plane)
    for name in controls.images:
        altered = _altered(context, controls, name, round)
        yield (
            name,
            [
                _question(subject, name, task, plane, index)
                for subject in altered
                for task, index in places.get(subject.id, ())
            ],
        )


def control_notes(context: Context) -> Iterator[str]:
    """Sentences on who is not asked about changed images, and of whom there are none."""
    controls = context.study.controls
    if controls is None:
        return
    if left := [config.name for config in context.study.models if not config.sees_image_alone(context.study)]:
        yield (
            f"controls: {', '.join(left)}: not asked about changed images: the answers are recorded ones, or are made "
            "from the truth or another model's answers, not from the image alone."
        )
    sampled = _sampled(context, controls)
    for name in controls.images:
        made = {subject.id for round in context.rounds for subject in _altered(context, controls, name, round)}
        if none := [id for id in sampled if id not in made]:
            shown = ", ".join(none[:SHOWN]) + (", …" if len(none) > SHOWN else "")
            why = CONTROLS[name].lacking
            yield f"controls: {name}: not asked about {len(none)} of {len(sampled)} patients: {why} ({shown})."


def _sampled(context: Context, controls: ControlsConfig) -> list[str]:
    classes = {id: context.subjects[id].grade for id in context.tested}
    return controlled(classes, controls.patients, context.study.split.seed)


def _places(
    context: Context, config: ModelConfig, controls: ControlsConfig, tasks: Sequence[str], plane: Plane | None
) -> dict[str, list[tuple[str, int | None]]]:
    """By patient, the tasks with the slices that a model is asked about; None for the whole patient."""
    sampled = _sampled(context, controls)
    places: dict[str, list[tuple[str, int | None]]] = {id: [] for id in sampled}
    for task in tasks:
        slices = {} if plane is None else asked_slices(context, plane, sampled, task, config.name)
        for id in (one for one in sampled if can_be_asked(context.subjects[one], task)):
            asked = [None] if plane is None else spread(slices.get(id, []), controls.slices)
            places[id] += [(task, index) for index in asked]
    return places


def _altered(context: Context, controls: ControlsConfig, name: str, round: Round) -> list[PreparedSubject]:
    """The sampled patients of a round, altered; without those of whom the control cannot be made.

    Another's image is one of a patient who is tested in the same round, whom its models did not learn from.
    """
    order = np.random.default_rng(context.study.split.seed).permutation(len(round.test))
    circle = [context.subjects[round.test[place]] for place in order]
    sampled, found = set(_sampled(context, controls)), []
    for place, subject in enumerate(circle):
        if subject.id in sampled:
            found.append(CONTROLS[name].alter(subject, [*circle[place + 1 :], *circle[:place]]))
    return [subject for subject in found if subject is not None]


def _question(subject: PreparedSubject, control: str, task: str, plane: Plane | None, index: int | None) -> Question:
    """`index`: the slice of the patient's own image."""
    if plane is None or index is None:
        return Question(subject, task, None, control=control)
    shown = CONTROLS[control].index(plane, index, subject.shape[INDEX_AXIS[plane]])
    return Question(subject, task, subject.frame(plane, shown), control=control)
