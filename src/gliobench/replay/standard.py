"""External answers under the standard protocol: read by the tasks' own parsers, scored by every study's arithmetic.

Where the files say no more, a slice's pixels are taken as 1 mm wide and its neighbours as 1 mm apart. Slices that a
patient's files do not hold are not scored, in a volume neither; an answer that cannot be read counts as wrong.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gliobench.grid.frame import INDEX_AXIS, Plane, put_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import NOTHING_CAME, ExternalAnswer, ExternalAnswers, check_one_volume
from gliobench.scoring.score import Item, SubjectScores, score_answers
from gliobench.scoring.summary import Scores, summarise
from gliobench.scoring.truth import SubjectTruth, fill
from gliobench.tasks.answer import Answer, Answered, Missing
from gliobench.tasks.geometry import Grade
from gliobench.tasks.grade import GRADE


@dataclass(frozen=True, eq=False)
class StandardScores:
    """The tables, and how many answers could not be used, by kind (`malformed`, `refused`, `truncated`, `missing`)."""

    scores: Scores
    unanswered: dict[str, int]


def score_standard(external: ExternalAnswers, name: str) -> StandardScores:
    """Score the first answer to every input. `name`: what the model is called in the tables.

    Raises ReplayError where the answers are about slices of several planes, or a patient's of several sizes, and for a
    task that no metric is for.
    """
    first = external.answers[0]
    if other := next((answer for answer in external.answers if answer.frame.plane != first.frame.plane), None):
        raise ReplayError(
            f"{other.path}:{other.line}: a {other.frame.plane} slice, and in {first.path.name}:{first.line} "
            f"{first.frame.plane}: score each plane by itself, from a file or folder of its own"
        )
    read: list[tuple[ExternalAnswer, Answer]] = [
        (answer, read_answer(external, answer)) for answer in external.answers if answer.repeat == 0
    ]
    kinds = Counter(type(answer).__name__.lower() for _, answer in read if not isinstance(answer, Answered))
    scores = _scores(external, name, read)
    if scores.summary.empty:
        raise ReplayError(f"{first.path}: answers to {external.task} cannot be scored: no metric compares such values")
    return StandardScores(scores, dict(sorted(kinds.items())))


def score_answers_as(external: ExternalAnswers, name: str, answers: Sequence[Answer]) -> Scores:
    """Other answers to the same questions, one for each of `external.answers`: what a trivial baseline would say."""
    pairs = zip(external.answers, answers, strict=True)
    return _scores(external, name, [pair for pair in pairs if pair[0].repeat == 0])


def _scores(external: ExternalAnswers, name: str, read: Sequence[tuple[ExternalAnswer, Answer]]) -> Scores:
    parsed: dict[str, list[tuple[ExternalAnswer, Answer]]] = {}
    for given, answer in read:
        parsed.setdefault(given.subject, []).append((given, answer))
    scored = [_score_subject(external, name, id, answers) for id, answers in parsed.items()]
    return summarise(scored, problem=external.problem)


def read_answer(external: ExternalAnswers, answer: ExternalAnswer) -> Answer:
    """The typed answer that a text gives."""
    if answer.answer is not None:
        return answer.answer
    if answer.text is None:
        return Missing(NOTHING_CAME)
    return external.asked.parse(answer.text, answer.frame, False, external.coordinates)


def _score_subject(
    external: ExternalAnswers, name: str, id: str, answers: Sequence[tuple[ExternalAnswer, Answer]]
) -> SubjectScores:
    about, gap_mm = _closed_up([given for given, _ in answers])
    subject = stand_in(external, id, about, gap_mm)
    task = external.task
    told = None if task == GRADE.name else {(one.frame.plane, one.frame.index): one.truth for one in about}
    items = [Item(name, task, given.frame, answer) for given, (_, answer) in zip(about, answers, strict=True)]
    return score_answers(SubjectTruth(subject, told), items, {})


def _closed_up(answers: Sequence[ExternalAnswer]) -> tuple[list[ExternalAnswer], float]:
    """The answers with every n-th slice numbered as the next one, where no two are nearer than n; and n as mm.

    Slices 10, 20 and 30 become 1, 2 and 3, 10 mm apart. Nobody knows what is true between them, and an answer that
    stood for the slices there too would be scored against an empty truth.
    """
    indices = sorted(answer.frame.index for answer in answers)
    step = min((after - before for before, after in pairwise(indices)), default=1)
    placed = [replace(answer, index=answer.frame.index // step) for answer in answers]
    return placed, step * answers[0].gap_mm


def stand_in(
    external: ExternalAnswers, id: str, answers: Sequence[ExternalAnswer], gap_mm: float = 1.0
) -> PreparedSubject:
    """A patient without images: the slices' truths, filled and stacked `gap_mm` apart, are the mask.

    Raises ReplayError for slices of several planes or sizes.
    """
    check_one_volume(answers)
    first = answers[0].frame
    slices = max(answer.frame.index for answer in answers) + 1
    shape, spacing = _volume(first.plane, slices, first.shape, first.spacing_mm, gap_mm)
    labels = np.zeros(shape, np.uint8)
    grade = answers[0].truth.value if isinstance(answers[0].truth, Grade) else None
    if external.asked.truth_task.has_area:
        for answer in answers:
            area = None if answer.truth is None else fill(answer.truth, answer.frame)
            if area is not None:
                put_slice(labels, first.plane, answer.frame.index, area)
    affine = np.diag([*spacing, 1.0])
    image = np.broadcast_to(np.uint8(0), (len(external.problem.images), *shape))
    return PreparedSubject(id, grade, image, labels, affine, affine, shape, False, "", problem=external.problem)


def _volume(
    plane: Plane, slices: int, size: tuple[int, int], pixel_mm: tuple[float, float], gap_mm: float
) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Shape (D, H, W) and spacing of a volume of so many slices of a plane."""
    shape, spacing = list(size), list(pixel_mm)
    shape.insert(INDEX_AXIS[plane], slices)
    spacing.insert(INDEX_AXIS[plane], gap_mm)
    return (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2])
