"""All answers about one patient, scored on their own task and on every coarser one."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.sources import SOURCE
from gliobench.cohort.variables import stated
from gliobench.grid.frame import INDEX_AXIS, PLANES, Plane, SliceFrame, put_slice
from gliobench.grid.prepared import PreparedSubject
from gliobench.grid.regions import RegionName
from gliobench.models.base.classified import class_probability_of
from gliobench.models.base.operating_point import ClassProbability
from gliobench.scoring.aggregate import MAJORITY, AggregateName, Aggregation, Aggregations, Slices, of_scores, of_votes
from gliobench.scoring.beside import beside
from gliobench.scoring.metric import Compared
from gliobench.scoring.overlap import Area
from gliobench.scoring.registry import metrics_of
from gliobench.scoring.truth import SubjectTruth, cut, fill
from gliobench.scoring.votes import Votes, count_votes, most_votes, two_probabilities
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.chain import coarser
from gliobench.tasks.geometry import Value, VolumeMask
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MaskTask
from gliobench.tasks.registry import TASKS, of_same_region

VOLUME = "volume"
NO_AGGREGATIONS: Aggregations = {}
TaskSlices = Mapping[tuple[Plane, str], Collection[int]]  # by plane and task, the slices it is scored on
EVERY_SLICE: TaskSlices = {}


@dataclass(frozen=True)
class Item:
    """One answer: its model, its task and its slice (`frame` None: the whole patient).

    `score`: of two classes the model's own probability of the positive one, or None; `probabilities`: of more, that of
    each.
    """

    model: str
    task: str
    frame: SliceFrame | None
    answer: Answer
    score: float | None = None
    probabilities: tuple[float, ...] | None = None

    @property
    def probability(self) -> ClassProbability | None:
        """The same as models calibrate them."""
        return class_probability_of(self.score, self.probabilities)

    def given(self, problem: Problem) -> tuple[float, ...] | None:
        """The model's own probability of each class, or None."""
        return self.probabilities if self.score is None else two_probabilities(problem, self.score)


@dataclass(frozen=True)
class SubjectRow:
    """One metric value of one scan, or of a patient's scans; the fields are the columns of the table `per_subject`.

    `value`: NaN where there is none. `n_asked`, `n_answered`: of the questions that count for the metric.
    """

    model: str
    task: str
    source: str
    plane: str
    subject: str
    patient: str
    grade: int | None
    metric: str
    value: float
    n_asked: int
    n_answered: int
    n_scans: int = 1


@dataclass(frozen=True)
class VoteRow:
    """The votes about one scan of a patient; `predicted` is None where no class won. `aggregate`: how it was decided.
    `problem`: whose classes they are. `origin`: the site or archive that the scan is from, None: not known."""

    model: str
    plane: str
    subject: str
    patient: str
    grade: int | None
    votes: Votes
    predicted: int | None
    aggregate: AggregateName = "majority"
    problem: Problem = GLIOMA
    origin: str | None = None


@dataclass(frozen=True)
class SubjectScores:
    """The scores of the answers about one patient."""

    rows: tuple[SubjectRow, ...]
    votes: tuple[VoteRow, ...]


@dataclass(frozen=True)
class _Said:
    """One answer about one slice: `value` None of an answer means that there is no tumour."""

    frame: SliceFrame
    answered: bool
    value: Value | None


@dataclass(frozen=True)
class _Asked:
    """The questions behind a metric value."""

    model: str
    source: str
    plane: str
    n_asked: int
    n_answered: int


def score_subject(
    subject: PreparedSubject,
    items: Iterable[Item],
    slices: Mapping[Plane, Sequence[int]],
    aggregations: Aggregations = NO_AGGREGATIONS,
    every: int = 1,
    kept: TaskSlices = EVERY_SLICE,
) -> SubjectScores:
    """Score the answers about one patient.

    `slices`: by plane, the slices on which a mask of the whole volume is scored as polygon, box and centre: those that
    per-slice models are asked about. `aggregations`: by model and plane, how the grade follows from the slices where it
    is not by majority. `every`: how many slices of the volume an answer stands for, the step between those asked about.
    `kept`: where tasks were asked about different slices, those of each: a finer answer is scored on a coarser task for
    the same slices as all other models, or, where it does not cover all of them, not at all. Raises ValueError where a
    model answers a question twice, and where the patient has no mask and a task needs one.
    """
    return score_answers(SubjectTruth(subject), items, slices, aggregations, every, kept)


def score_answers(
    truth: SubjectTruth,
    items: Iterable[Item],
    slices: Mapping[Plane, Sequence[int]],
    aggregations: Aggregations = NO_AGGREGATIONS,
    every: int = 1,
    kept: TaskSlices = EVERY_SLICE,
) -> SubjectScores:
    """As `score_subject`, against a truth that may come from elsewhere than a mask."""
    subject = truth.subject
    rows: list[SubjectRow] = []
    votes: list[VoteRow] = []
    for (model, task), group in _grouped(subject, items).items():
        planes = [plane for plane in (None, *PLANES) if plane in group]
        if TASKS[task].compared_as == GRADE.compared_as:
            for plane in planes:
                how = aggregations.get((model, plane or VOLUME), MAJORITY)
                votes.append(_vote(subject, model, plane or VOLUME, group[plane], how))
            continue
        own = truth.of(task)
        for item in group.get(None, []):
            rows += _score_volume(own, item, slices, kept)
        sliced = [group[plane] for plane in planes if plane is not None]
        for place, part in enumerate(sliced):
            rows += _score_slices(own, model, task, part, every if place == 0 else None, kept)
    return SubjectScores(tuple(rows), tuple(votes))


def _grouped(subject: PreparedSubject, items: Iterable[Item]) -> dict[tuple[str, str], dict[Plane | None, list[Item]]]:
    groups: dict[tuple[str, str], dict[Plane | None, list[Item]]] = {}
    seen = set()
    for item in items:
        plane, index = (item.frame.plane, item.frame.index) if item.frame else (None, None)
        if (key := (item.model, item.task, plane, index)) in seen:
            where = f"{plane} slice {index}" if item.frame else "the whole patient"
            raise ValueError(f"{subject.id}: {item.model} answers {item.task} of {where} twice; score one of the two")
        seen.add(key)
        groups.setdefault((item.model, item.task), {}).setdefault(plane, []).append(item)
    return groups


def _vote(subject: PreparedSubject, model: str, plane: str, items: Sequence[Item], how: Aggregation) -> VoteRow:
    problem = subject.problem
    given = items[0].given(problem) if plane == VOLUME else None
    votes = count_votes([item.answer for item in items], problem, given)
    called = most_votes(votes)
    if how.name != "majority":
        probability = how.probability(slices_together(items, how, problem), subject.grade, problem)
        votes = replace(votes, probabilities=None if probability is None else _of_each_class(probability, problem))
        called = how.call(probability, problem)
    origin = stated(subject.variables, SOURCE)
    return VoteRow(model, plane, subject.id, subject.patient, subject.grade, votes, called, how.name, problem, origin)


def _of_each_class(probability: ClassProbability, problem: Problem) -> tuple[float, ...]:
    return (
        tuple(probability.tolist()) if isinstance(probability, np.ndarray) else two_probabilities(problem, probability)
    )


def slices_together(items: Sequence[Item], how: Aggregation, problem: Problem = GLIOMA) -> Slices:
    """The combined evidence of a patient's slices of one plane on its class."""
    if how.by == "votes":
        votes = count_votes([item.answer for item in items], problem)
        return of_votes(votes.counts, votes.unanswered, problem)
    return of_scores([item.probability if isinstance(item.answer, Answered) else None for item in items])


def _score_volume(
    truth: SubjectTruth, item: Item, slices: Mapping[Plane, Sequence[int]], kept: TaskSlices
) -> Iterator[SubjectRow]:
    """A mask of the whole patient: as a volume, and slice by slice on the coarser tasks."""
    value = item.answer.value if isinstance(item.answer, Answered) else None
    if value is not None and not isinstance(value, VolumeMask):
        raise TypeError(f"{item.model}: a VolumeMask is expected for a whole patient, got a {type(value).__name__}")
    answered = value is not None
    asked = _Asked(item.model, item.task, VOLUME, 1, int(answered))
    area = Area(np.asarray(value.voxels)) if value is not None else None
    yield from _score_whole(truth, asked, item.task, area, truth.volume)
    for region, voxels in _inner_regions(value, truth):
        yield from _score_whole(truth, asked, region, Area(voxels), truth.region(region), inner=True)
    for plane, indices in slices.items():
        frames = [truth.subject.frame(plane, index) for index in indices]
        said = [_Said(frame, answered, cut(area.pixels, frame) if area is not None else None) for frame in frames]
        for task in coarser(item.task)[1:]:
            yield from _score_task(truth, item.model, item.task, task, _kept(said, plane, task, kept))


def _inner_regions(value: VolumeMask | None, truth: SubjectTruth) -> Iterator[tuple[RegionName, NDArray[np.bool_]]]:
    """The tumour's inner regions, where both the model and the patient's mask distinguish them."""
    inner: dict[RegionName, NDArray[np.bool_] | None] = (
        {} if value is None else {"core": value.core, "enhancing": value.enhancing}
    )
    told = [(region, voxels) for region, voxels in inner.items() if voxels is not None]
    if told and truth.subject.divided:
        yield from told


def _score_slices(
    truth: SubjectTruth,
    model: str,
    source: str,
    items: Sequence[Item],
    every: int | None,
    kept: TaskSlices,
) -> Iterator[SubjectRow]:
    """Answers about the slices of one plane: on their own task and the coarser ones, and, with `every`, stacked."""
    said = []
    for item in items:
        assert item.frame is not None
        value = item.answer.value if isinstance(item.answer, Answered) else None
        said.append(_Said(item.frame, isinstance(item.answer, Answered), value))
    for task in coarser(source):
        own = _kept(said, said[0].frame.plane, task, kept)
        yield from _score_task(truth, model, source, task, own)
    if every and TASKS[source].has_area:
        asked = _asked(model, source, VOLUME, said)
        stack = Area(_stack(truth.subject, said, every)) if asked.n_answered else None
        yield from _score_whole(truth, asked, of_same_region(MaskTask.name, source), stack, truth.volume)


def _kept(said: Sequence[_Said], plane: Plane, task: str, kept: TaskSlices) -> Sequence[_Said]:
    """The answers about the slices that a task is scored on; none where not all of them were asked about."""
    if (plane, task) not in kept:
        return said
    wanted = set(kept[plane, task])
    own = [one for one in said if one.frame.index in wanted]
    return own if len(own) == len(wanted) else []


def _asked(model: str, source: str, plane: str, said: Sequence[_Said]) -> _Asked:
    return _Asked(model, source, plane, len(said), sum(one.answered for one in said))


def _stack(subject: PreparedSubject, said: Sequence[_Said], every: int) -> NDArray[np.bool_]:
    """The answers about the slices of one plane as a volume, each repeated for the `every` slices around it."""
    voxels = np.zeros(subject.shape, dtype=bool)
    plane = said[0].frame.plane
    last = subject.shape[INDEX_AXIS[plane]] - 1
    for slice in said:
        pixels = fill(slice.value, slice.frame)
        first = slice.frame.index - (every - 1) // 2
        for index in range(max(first, 0), min(first + every - 1, last) + 1):
            put_slice(voxels, plane, index, pixels)
    return voxels


def _score_whole(
    truth: SubjectTruth, asked: _Asked, task: str, answer: Area | None, true: Area, inner: bool = False
) -> Iterator[SubjectRow]:
    """Every metric of a volume; `answer` None is unanswered."""
    compared = Compared(answer, true, truth.subject.spacing_mm, answered=answer is not None, inner=inner)
    for metric in metrics_of(MaskTask.compared_as):
        own = asked if metric.is_for(compared) else replace(asked, n_asked=0, n_answered=0)
        yield _row(truth, own, task, metric.id, metric.value(compared))


def _score_task(truth: SubjectTruth, model: str, source: str, task: str, said: Sequence[_Said]) -> Iterator[SubjectRow]:
    """Every metric over the slices of a patient."""
    compared = [beside(task, one.value, one.answered, one.frame, truth.slice(one.frame)) for one in said]
    for metric in metrics_of(TASKS[task].compared_as) if said else ():
        if not metric.of_volumes:
            own = [one for one, slice in zip(said, compared, strict=True) if metric.is_for(slice)]
            asked = _asked(model, source, said[0].frame.plane, own)
            yield _row(truth, asked, task, metric.id, metric.over(compared))


def _row(truth: SubjectTruth, asked: _Asked, task: str, metric: str, value: float) -> SubjectRow:
    subject = truth.subject
    return SubjectRow(
        model=asked.model,
        task=task,
        source=asked.source,
        plane=asked.plane,
        subject=subject.id,
        patient=subject.patient,
        grade=subject.grade,
        metric=metric,
        value=value,
        n_asked=asked.n_asked,
        n_answered=asked.n_answered,
    )
