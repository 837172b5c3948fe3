"""The reference study's own computation, flaws included: only to reproduce its tables.

Unanswered slices leave the mean, patients without a usable answer leave the table, distances are what the study's code
computes, in pixels (arXiv 2509.10683; a test holds the published figures). Where it departs from the standard
protocol, and why that matters: `gliobench.replay.protocol_comparison`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.draw import polygon as fill_polygon

from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.subject import HGG, LGG
from gliobench.replay.errors import ReplayError
from gliobench.replay.external import ExternalAnswer, ExternalAnswers, check_one_volume
from gliobench.scoring.figures import grade_figures
from gliobench.scoring.intervals import MEAN, POSITIVE, Bootstrap, Figure, Scale
from gliobench.scoring.surface import find_surface
from gliobench.scoring.votes import GradedPatient, Votes, most_votes
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Box, Grade, Polygon, Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.polygon import POLYGON

LONGEST_PX = 128.0  # the study's distance where either mask is empty
MOST_POINTS = 15
NO_GLIOMA = 2  # the study's third choice
STRIDE = 8
CHOICE = re.compile(r"Choice:\s*([012])")
NUMBER = r"\d{1,9}"  # what is longer is no coordinate
POINT = re.compile(rf"\(({NUMBER}), ({NUMBER})\)")
PAIR = rf"-?{NUMBER}\s*,\s*-?{NUMBER}"
CORNER = rf"(?:\(\s*{PAIR}\s*\)|\[\s*{PAIR}\s*\])"
FOUR_CORNERS = re.compile(rf"[(\[]?\s*{CORNER}(?:\s*,\s*{CORNER}){{3}}\s*,?\s*[)\]]?")
NO_BOX = {-1}
VERTEX = re.compile(rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)")
Mask = NDArray[np.bool_]
Answers = Mapping[str, Sequence[ExternalAnswer]]


@dataclass(frozen=True)
class PublishedScores:
    """Figures by name, in the study's units (pixels), over the patients that its arithmetic keeps.

    `left_out`: who is not in them, and why.
    """

    figures: dict[str, Figure]
    n_subjects: int
    n_asked: int
    n_answered: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Patient:
    """One patient's figures, None where the study leaves the patient out; how many slices were asked and answered."""

    subject: str
    values: dict[str, float] | None
    asked: int
    answered: int


def score_published(external: ExternalAnswers, bootstrap: Bootstrap | None = None) -> PublishedScores:
    """The study's figures for answers to `external.task`; intervals are ours (the study gave none).

    Raises ReplayError for another problem's answers, and where a patient's polygons are about slices of several planes
    or sizes.
    """
    if external.problem.classes != GLIOMA.classes:
        raise ReplayError(
            f"{external.source}: the published protocol is the reference study's own, of {GLIOMA.name}, and these "
            f"answers are about {external.problem.name}: use --protocol standard"
        )
    bootstrap = bootstrap or Bootstrap()
    absent = [f"{subject}: no file" for subject in external.gaps]
    if external.task == GRADE.name:
        return _grades(external, bootstrap, absent)
    if external.task not in PUBLISHED_TASKS:
        known = ", ".join(PUBLISHED_TASKS)
        raise ReplayError(
            f"the reference study was not asked for {external.task}, only for {known}: use --protocol standard"
        )
    patients = _PATIENTS[external.task](external.firsts)
    silent = [f"{subject}: an empty file" for subject in external.silent]
    if external.task == POLYGON.name:  # a patient without slices stays, as the worst there is
        worst = {"dice": 0.0, "hd95_px": LONGEST_PX, "precision": 0.0, "recall": 0.0, "specificity": 0.0}
        patients += [_Patient(subject, worst, 0, 0) for subject in external.silent]
        silent = []
    kept = [(patient, patient.values) for patient in patients if patient.values is not None]
    names = list(kept[0][1]) if kept else []
    table = np.array([[values[name] for name in names] for _, values in kept])
    figures = dict(zip(names, bootstrap.means(table, list(map(_scale, names))), strict=True)) if kept else {}
    mute = [f"{patient.subject}: no slice answered" for patient in patients if patient.values is None]
    return PublishedScores(
        figures,
        len(kept),
        sum(patient.asked for patient in patients),
        sum(patient.answered for patient in patients),
        (*absent, *silent, *mute),
    )


def _scale(name: str) -> Scale:
    """Of a mean: all that are no distances are proportions."""
    return POSITIVE if "distance" in name or name == "hd95_px" else MEAN


def _grades(external: ExternalAnswers, bootstrap: Bootstrap, absent: Sequence[str]) -> PublishedScores:
    """A patient is the largest of the four counts, a tie goes to the lower; one that is no grade leaves the table."""
    votes = {subject: _votes(external, subject, answers) for subject, answers in external.firsts.items()}
    truth = {subject: answers[0].truth for subject, answers in external.firsts.items()}
    kept, lost = [], []
    for subject, vote in votes.items():
        label, winner = truth[subject], most_votes(vote)
        assert isinstance(label, Grade)
        if winner is None:
            lost.append(f"{subject}: most slices say no glioma, or nothing that can be read")
        else:
            kept.append(GradedPatient(label.value, winner, vote))
    figures = grade_figures(kept, bootstrap) if kept else {}
    published = ("accuracy", "f1", "precision", "recall", "specificity")
    asked = sum(vote.asked for vote in votes.values())
    silent = [f"{subject}: an empty file" for subject in external.silent]
    return PublishedScores(
        {name: figures[name] for name in published if name in figures},
        len(kept),
        asked,
        asked - sum(vote.unanswered for vote in votes.values()),
        (*absent, *silent, *lost),
    )


def _votes(external: ExternalAnswers, subject: str, answers: Sequence[ExternalAnswer]) -> Votes:
    """The file's own tally, or else what stands after `Choice:`."""
    if tally := external.tallies.get(subject):
        return tally
    said = [CHOICE.search(answer.text or "") for answer in answers]
    counts = Counter(None if match is None else int(match[1]) for match in said)
    return Votes((counts[LGG], counts[HGG]), counts[NO_GLIOMA], counts[None])


def _centre(subject: str, answers: Sequence[ExternalAnswer]) -> _Patient:
    """Share of points in the box; 95th percentiles of the distance to its nearest edge line and to its middle; the mean
    distance to its middle as a multiple of its diagonal."""
    found: list[tuple[float, float, float]] = []
    relative = []
    for answer in answers:
        point, box = POINT.match(answer.text or ""), answer.truth
        if point is None or not isinstance(box, Box):
            continue
        row, column = int(point[1]), int(point[2])
        edges = (row - box.row_min, row - box.row_max, column - box.column_min, column - box.column_max)
        middle = ((box.row_min + box.row_max) / 2, (box.column_min + box.column_max) / 2)
        inside = box.row_min <= row <= box.row_max and box.column_min <= column <= box.column_max
        distance = float(np.hypot(row - middle[0], column - middle[1]))
        found.append((inside, min(map(abs, edges)), distance))
        if diagonal := float(np.hypot(box.row_max - box.row_min, box.column_max - box.column_min)):
            relative.append(distance / diagonal)  # the study leaves boxes of one pixel out
    if not found:
        return _Patient(subject, None, len(answers), 0)
    inside_share, edge, centre = np.array(found, float).T
    values = {
        "in_box": float(inside_share.mean()),
        "distance_to_box_p95_px": float(np.percentile(edge, 95)),
        "distance_to_centre_p95_px": float(np.percentile(centre, 95)),
        "relative_distance": float(np.mean(relative)) if relative else math.nan,
    }
    return _Patient(subject, values, len(answers), len(found))


def _boxes(by_subject: Answers) -> list[_Patient]:
    """Mean over a patient's slices where the whole answer is four corners and nothing else.

    A slice without a tumour is scored against the last true box before it, be it another patient's: that is how the
    study came by its figures, and without it they are missed by more than rounding.
    """
    patients, true = [], None
    for subject, answers in by_subject.items():
        found = []
        for answer in answers:
            said, own = _corners(answer), answer.truth or true
            if said is None or own is None:
                continue
            true = own
            found.append(_box_figures(_filled(said, answer), _filled(_edges(own), answer)))
        values = {name: float(np.mean([one[name] for one in found])) for name in found[0]} if found else None
        patients.append(_Patient(subject, values, len(answers), len(found)))
    return patients


def _corners(answer: ExternalAnswer) -> tuple[float, ...] | None:
    """The rectangle around the four corners of an answer, None where it is anything else."""
    if not FOUR_CORNERS.fullmatch((answer.text or "").strip()):
        return None
    numbers = [int(number) for number in re.findall(r"-?\d+", answer.text or "")]
    rows, columns = numbers[::2], numbers[1::2]
    return None if set(numbers) == NO_BOX else (min(rows), min(columns), max(rows), max(columns))


def _edges(truth: Value) -> tuple[float, ...]:
    assert isinstance(truth, Box)
    return truth.row_min, truth.column_min, truth.row_max, truth.column_max


def _filled(edges: tuple[float, ...], answer: ExternalAnswer) -> Mask:
    """A rectangle with its edges inside; as an array's slice, so that one from row -10 is mostly empty: the study's."""
    pixels = np.zeros(answer.frame.shape, bool)
    row_min, column_min, row_max, column_max = map(int, edges)
    pixels[row_min : row_max + 1, column_min : column_max + 1] = True
    return pixels


def _box_figures(answer: Mask, truth: Mask) -> dict[str, float]:
    said, true = _row_edges(answer), _row_edges(truth)
    return {**_overlap(answer, truth), "hd95_px": float(np.percentile(_directed(said, true), 95))}


def _row_edges(mask: Mask) -> Mask:
    """Where the mask changes from row to row: the study takes these pixels for the outline."""
    edges: Mask = np.gradient(mask.astype(float), axis=0) != 0
    return edges


def _polygon(subject: str, answers: Sequence[ExternalAnswer]) -> _Patient:
    """Filled slice by slice and stacked, one figure per patient; the plain maximum of all distances is its HD95."""
    check_one_volume(answers)
    said, true, answered = [], [], 0
    for answer in answers:
        points = [(int(row), int(column)) for row, column in VERTEX.findall(answer.text or "")][:MOST_POINTS]
        answered += bool(points)
        said.append(_outlined(points, answer))
        corners = answer.truth.points if isinstance(answer.truth, Polygon) else ()
        true.append(_outlined(corners, answer))
    volume, truth = np.stack(said), np.stack(true)
    values = {**_overlap(volume, truth), "hd95_px": max(_directed(volume, truth))}
    return _Patient(subject, values, len(answers), answered)


def _outlined(points: Sequence[tuple[float, float]], answer: ExternalAnswer) -> Mask:
    pixels = np.zeros(answer.frame.shape, bool)
    if points:
        rows, columns = zip(*points, strict=True)
        pixels[fill_polygon(rows, columns, answer.frame.shape)] = True
    return pixels


def _overlap(answer: Mask, truth: Mask) -> dict[str, float]:
    """Dice, precision, recall and specificity; a share of nothing is 0."""
    shared = float((answer & truth).sum())
    found, real, outside = float(answer.sum()), float(truth.sum()), float((~truth).sum())
    return {
        "dice": 2 * shared / (found + real) if found + real else 0.0,
        "precision": shared / found if found else 0.0,
        "recall": shared / real if real else 0.0,
        "specificity": float((~answer & ~truth).sum()) / outside if outside else 0.0,
    }


def _directed(one: Mask, other: Mask) -> tuple[float, float]:
    """The largest distance from a pixel of each mask to the nearest of the other's, in pixels."""
    if not one.any() or not other.any():
        return LONGEST_PX, LONGEST_PX
    return _farthest(one, other), _farthest(other, one)


def _farthest(mask: Mask, other: Mask) -> float:
    """What both have is no distance apart, and of the other only its surface can be nearest to a pixel outside it.

    The distance to a set changes by no more than the step taken: where every `STRIDE`-th pixel lies says which of the
    others can be the farthest, and only these are asked about.
    """
    outside = np.argwhere(mask & ~other)
    if not len(outside):
        return 0.0
    tree = cKDTree(find_surface(other).points)
    known, before = tree.query(outside[::STRIDE])[0], np.arange(len(outside)) // STRIDE
    reach = known[before] + np.linalg.norm(outside - outside[::STRIDE][before], axis=1)
    farthest = float(known.max())
    return max(farthest, float(tree.query(outside[reach > farthest])[0].max(initial=0.0)))


_PATIENTS: dict[str, Callable[[Answers], list[_Patient]]] = {
    CENTRE.name: lambda by_subject: [_centre(subject, answers) for subject, answers in by_subject.items()],
    BOX.name: _boxes,
    POLYGON.name: lambda by_subject: [_polygon(subject, answers) for subject, answers in by_subject.items()],
}
PUBLISHED_TASKS = (GRADE.name, *_PATIENTS)
