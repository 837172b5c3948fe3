"""External answers beside the models of a study: read, and checked against its questions, before any work starts."""

from collections.abc import Iterator, Mapping, Sequence

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Question
from gliobench.replay.answers import AnswersFile, read_answers, read_masks, read_patients
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import Place
from gliobench.replay.models import PatientAnswers, SliceAnswers, place_of
from gliobench.replay.placed import placed
from gliobench.replay.read import read_external
from gliobench.study.kinds.replay import ReplayModelConfig
from gliobench.study.state.context import Context, StageError

NAMED = 3  # patients, in a message


def replayed_model(config: ReplayModelConfig, subjects: Mapping[str, PreparedSubject]) -> SliceAnswers | PatientAnswers:
    """The model that an entry's answers make about prepared patients. Raises ReplayError or ModelError for a file that
    cannot be used."""
    tasks = frozenset(config.tasks)
    if config.answers is None:
        return PatientAnswers(config.name, tasks, _of_patients(config))
    file = _placed(config, subjects) if config.source.is_dir() else read_answers(config.source, config.problem)
    return SliceAnswers(config.name, tasks, file, config.picture)


def _of_patients(config: ReplayModelConfig) -> list[AnswersFile]:
    """What each reader, or the one that the entry is about, says of whole patients. Raises ReplayError."""
    if config.patients is None:
        return [read_masks(config.source)]
    files = read_patients(config.patients, config.problem)
    if config.readers == "majority" and files[0].reader is None:
        raise ReplayError(f"{config.patients}: `readers: majority` needs a column `reader`, and there is none")
    return [one for one in files if config.reader in (None, one.reader)]


def readers_of(config: ReplayModelConfig) -> list[AnswersFile]:
    """What each reader says in a table about whole patients; nothing where it cannot be read, which is said later."""
    if config.patients is None or not config.patients.is_file():
        return []
    try:
        return read_patients(config.patients, config.problem)
    except ReplayError:
        return []


def _placed(config: ReplayModelConfig, subjects: Mapping[str, PreparedSubject]) -> AnswersFile:
    """The reference study's raw answers. Raises ReplayError."""
    if config.problem.classes != GLIOMA.classes:
        raise ReplayError(
            f"{config.source}: a folder of raw answers is about {GLIOMA.name}, and this study about "
            f"{config.problem.name}: give a table of answers"
        )
    if len(config.tasks) != 1:
        raise ReplayError(f"{config.source}: a folder of raw answers is to one task: name it in `tasks:` of this entry")
    return placed(read_external(config.source, config.tasks[0]), subjects)


def external_slices(context: Context, task: str, plane: Plane, own: str | None = None) -> dict[str, list[int]]:
    """By patient, the slices of a plane that all recorded answers to a task are about; of those who have any.

    `own`: where the model of this name has recorded answers to the task, those that its own are about.
    """
    external = [one.replayed for one in context.study.models if one.replayed]
    parts = [one for one in external if task in one.tasks]
    found: dict[str, list[int]] = {}
    for config in [one for one in parts if one.name == own] or parts:
        for id, slices in _answered(replayed_model(config, context.subjects), task, plane).items():
            found[id] = [index for index in found.get(id, slices) if index in slices]
    return found


def _answered(model: SliceAnswers | PatientAnswers, task: str, plane: Plane) -> dict[str, list[int]]:
    slices: dict[str, set[int]] = {}
    for place in model.external:
        if (place.task, place.plane) == (task, plane) and place.index is not None:
            slices.setdefault(place.subject, set()).add(place.index)
    return {id: sorted(indices) for id, indices in slices.items()}


def external_digest(config: ReplayModelConfig) -> str:
    """Of the bytes of all that is held. Raises as `replayed_model` does."""
    return replayed_model(config, {}).digest


def check_external(
    config: ReplayModelConfig, model: SliceAnswers | PatientAnswers, questions: Sequence[Question]
) -> Iterator[str]:
    """Hold answers against the questions; gives sentences on what is missing and what is not used.

    Raises StageError where no answer is about a patient or fits a question, or a task has none; ModelError where an
    answer is about another image or another size.
    """
    asked = [place_of(question) for question in questions]
    external = model.external
    if not external:
        raise StageError(
            f"{config.name}: none of the answers in {config.source} could be laid on a prepared patient: "
            f"{'; '.join(model.remarks) or 'they are about others'}. The reference study's raw answers need its own "
            "test patients, at 1 mm (see who was left out when the cohort was prepared); else remove this model"
        )
    if asked and external.isdisjoint(asked):
        raise StageError(
            f"{config.name}: none of the {len(external)} answers in {config.source} is to a question of this study; it "
            f"has {_example(sorted(external, key=str)[0]) if external else 'nothing'}, asked is {_example(asked[0])}"
        )
    for task in dict.fromkeys(place.task for place in asked):
        of_task = [place for place in asked if place.task == task]
        if external.isdisjoint(of_task):
            raise StageError(
                f"{config.name}: {config.source} has no answer to any of the {len(of_task)} questions about {task}: "
                "where it was not asked, name in `tasks:` of this entry those that were"
            )
    model.check(questions)
    return _sentences(config.name, model.remarks, asked, external)


def _sentences(name: str, remarks: Sequence[str], asked: Sequence[Place], external: frozenset[Place]) -> Iterator[str]:
    yield from (f"{name}: {remark}" for remark in remarks)
    for task in dict.fromkeys(place.task for place in asked):
        of_task = [place for place in asked if place.task == task]
        if missing := [place for place in of_task if place not in external]:
            yield (
                f"{name}: {task}: {len(missing)} of {len(of_task)} questions have no answer and count as wrong "
                f"({_patients(missing)})"
            )
    unused = external - set(asked)
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
