"""Held answers beside models that are asked: read before any work starts, and held against the study's questions."""

from collections.abc import Iterator, Sequence

from gliobench.models.prediction import Question
from gliobench.models.replayed import Place, ReplayedAnswers, ReplayedMasks, place_of
from gliobench.replay.answers import read_answers
from gliobench.study.answer_parts import ReplayModel
from gliobench.study.context import StageError

NAMED = 3  # patients, in a message


def replayed_model(part: ReplayModel) -> ReplayedAnswers | ReplayedMasks:
    """The model that an entry's answers make. Raises ReplayError or ModelError for a file that cannot be used."""
    if part.masks is not None:
        return ReplayedMasks(part.name, part.masks)
    file = read_answers(part.source)
    return ReplayedAnswers(part.name, frozenset(part.tasks), file.answers, file.digest, part.picture, file.remarks)


def held_digest(part: ReplayModel) -> str:
    """Of the bytes of all that is held. Raises as `replayed_model` does."""
    return replayed_model(part).digest


def check_held(
    part: ReplayModel, model: ReplayedAnswers | ReplayedMasks, questions: Sequence[Question]
) -> Iterator[str]:
    """Hold answers against the questions; gives sentences on what is missing and what is not used.

    Raises StageError where no answer fits a question, or a task has none; ModelError where an answer is about another
    image or another size.
    """
    asked = [place_of(question) for question in questions]
    held = model.held
    if asked and held.isdisjoint(asked):
        raise StageError(
            f"{part.name}: none of the {len(held)} answers in {part.source} is to a question of this study; held is "
            f"{_example(sorted(held, key=str)[0]) if held else 'nothing'}, asked is {_example(asked[0])}"
        )
    for task in dict.fromkeys(place.task for place in asked):
        of_task = [place for place in asked if place.task == task]
        if held.isdisjoint(of_task):
            raise StageError(
                f"{part.name}: {part.source} has no answer to any of the {len(of_task)} questions about {task}: where "
                "it was not asked, name in `tasks:` of this entry those that were"
            )
    model.check(questions)
    return _sentences(part.name, model.remarks, asked, held)


def _sentences(name: str, remarks: Sequence[str], asked: Sequence[Place], held: frozenset[Place]) -> Iterator[str]:
    yield from (f"{name}: {remark}" for remark in remarks)
    for task in dict.fromkeys(place.task for place in asked):
        of_task = [place for place in asked if place.task == task]
        if missing := [place for place in of_task if place not in held]:
            yield (
                f"{name}: {task}: {len(missing)} of {len(of_task)} questions have no answer and count as wrong "
                f"({_patients(missing)})"
            )
    unused = held - set(asked)
    patients = {place.subject for place in asked}
    strangers = [place for place in unused if place.subject not in patients]
    if strangers:
        yield f"{name}: {len(strangers)} answers are about patients who are not tested ({_patients(strangers)})"
    if others := [place for place in unused if place.subject in patients]:
        yield f"{name}: {len(others)} answers are to questions that this study does not ask ({_patients(others)})"


def _patients(places: Sequence[Place]) -> str:
    ids = sorted({place.subject for place in places})
    return ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")


def _example(place: Place) -> str:
    where = f", {place.plane} slice {place.index}" if place.plane else ""
    return f"for example {place.subject}, {place.task}{where}"
