"""A task of another package, and all that may come with it, as a stranger would write them: in one file."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist, squareform
from torch import nn

from gliobench.cohort.classes import read_classes
from gliobench.cohort.layouts.layout import Found, Layout, sort_out, subject_of, volumes_in
from gliobench.cohort.problem import Problem
from gliobench.models.baselines.rule import Rule
from gliobench.models.networks import Network
from gliobench.models.views.layout import Layout as View
from gliobench.models.views.layout import Panel
from gliobench.scoring.metric import AnswerMetric, Compared
from gliobench.study.kinds.base import PATIENTS_MASK, ModelConfig
from gliobench.tasks.base import Drawing, Task
from gliobench.tasks.coordinates import AS_ASKED
from gliobench.tasks.geometry import Mask, Placed, VolumeMask
from gliobench.tasks.mask import MASK
from gliobench.tasks.points import find_lists
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.reading import read_places, whole

# A layout: NIfTI files of all patients in one folder, and what they have in diagnosis.json.


def find_patients(root: Path, problem: Problem) -> Found:
    diagnoses, volumes = json.loads((root / "diagnosis.json").read_text()), volumes_in(root / "scans")
    grades, _ = read_classes(list(diagnoses.values()), "diagnosis", problem)

    def only(name: str) -> Path | None:
        return next(iter(volumes.get(name.lower(), ())), None)

    return sort_out(
        subject_of(
            id,
            grade,
            {name: only(f"{name} of {id}") for name in problem.names},
            only(f"outline of {id}"),
            root,
            {},
            problem,
        )
        for id, grade in zip(diagnoses, grades, strict=True)
    )


DIAGNOSED = Layout(
    name="diagnosed scans",
    expects="diagnosis.json with the grade of each patient, and a folder scans",
    labels=frozenset({1, 2, 4}),
    recognises=lambda root, problem: (root / "diagnosis.json").is_file(),
    find=find_patients,
)


# A task, and the metric by which its answers are compared.


@dataclass(frozen=True)
class Diameter(Placed):
    """The line between two places of a slice that are (row, column) in pixels."""

    ends: tuple[tuple[float, float], ...]

    @property
    def length_mm(self) -> float:
        return math.dist(*(np.multiply(end, self.frame.spacing_mm) for end in self.ends))


class DiameterTask(Task):
    """The tumour's longest diameter in a slice, between the middles of two of its pixels."""

    name, value_type, json_key = "diameter", Diameter, "ends"
    summary = "the tumour's longest diameter in a slice: the (row, col) of its two ends"
    expected = "two ends such as (12, 30), (58, 71)"
    compared_as, primary = "diameter", ("diameter_error_mm",)
    truth_format = "[[row, column], [row, column]], the two ends"
    in_coordinates = True
    shape = (2, 2)
    prompt = Prompt(
        name, "1", "Where does the tumour's longest diameter end? Answer such as (12, 30), (58, 71), or none.", 20
    )
    region_prompt = Prompt(f"{name}-of-region", "1", "Where does the longest diameter of {region} end?", 20)

    @property
    def derived_from(self):
        return {MASK.name: self.of_mask}

    def of_mask(self, mask: Mask) -> Diameter | None:
        pixels = np.argwhere(mask.pixels)
        if not len(pixels):
            return None
        distances = squareform(pdist(pixels * mask.frame.spacing_mm))
        ends = pixels[list(np.unravel_index(distances.argmax(), distances.shape))]
        return self.from_json(ends.tolist(), mask.frame)

    def write(self, value):
        self.expect(value)
        return ", ".join(f"({whole(row)}, {whole(column)})" for row, column in value.ends)

    def parse(self, text, frame, cut_off, coordinates=AS_ASKED):
        def find(text, cut_off):
            found = find_lists(text, cut_off)
            return [one.found(one.points, finished=not one.unfinished) for one in found if len(one.points) == 2]

        return read_places(
            text,
            frame,
            cut_off,
            find,
            lambda ends: Diameter(frame, ends),
            self.expected,
            self.problem.target,
            coordinates,
        )

    def pattern(self, numbers):
        return rf"({numbers.pair}, {numbers.pair}|none)"

    def longest(self, shape):
        return ", ".join([f"({shape[0] - 1}, {shape[1] - 1})"] * 2)

    def to_json(self, value):
        return [list(end) for end in value.ends]

    def from_json(self, content, frame):
        first, last = content
        return Diameter(frame, (tuple(first), tuple(last)))

    def enlarge(self, value, scale):
        ends = [[(place + 0.5) * scale - 0.5 for place in end] for end in value.ends]
        return self.from_json(ends, value.frame.enlarged(scale))

    def reduce(self, value, frame, scale):
        return self.from_json([[(place + 0.5) / scale - 0.5 for place in end] for end in value.ends], frame)

    def drawn(self, value):
        return Drawing([list(value.ends)])


def length_error_mm(compared: Compared) -> float:
    """How far apart the two lengths are; nothing is as long as 0."""
    answer, truth = (side.length_mm if side else 0.0 for side in (compared.answer, compared.truth))
    return abs(answer - truth)


LENGTH_ERROR = AnswerMetric(
    id="diameter_error_mm",
    title="error of the diameter",
    unit="mm",
    better="lower",
    of=DiameterTask.compared_as,
    measure=length_error_mm,
    unanswered=100.0,  # no usable answer is never better than a wrong one
    one_empty=length_error_mm,
    both_empty=0.0,
)


# A metric of areas.


def surface_dice(areas: Compared, tolerance_mm: float = 2.0) -> float:
    """The share of both surfaces' pixels that lie within 2 mm of the other surface (after Nikolov 2021)."""
    answer, truth = (side.surface.points * np.asarray(areas.spacing_mm) for side in (areas.answer, areas.truth))
    near = sum(
        (cKDTree(other).query(own)[0] <= tolerance_mm).sum() for own, other in ((answer, truth), (truth, answer))
    )
    return float(near / (len(answer) + len(truth)))


NSD = AnswerMetric(
    id="nsd_2mm",
    title="surface Dice at 2 mm",
    unit="share",
    better="higher",
    of="area",
    measure=surface_dice,
    unanswered=0.0,
    one_empty=0.0,
    both_empty=1.0,
)


# A network.


def one_layer(shape, channels, outputs):
    return nn.Conv3d(channels, outputs, kernel_size=3, padding=1)


ONE_LAYER = Network(task=MASK.name, build=one_layer)


# Who answers, and what is shown.


def slice_width(train: Sequence[object], plane: str) -> Rule:
    """The middle row, from its first to its last column."""

    def answer(question):
        rows, columns = question.frame.shape
        return Diameter(question.frame, (((rows - 1) / 2, 0.0), ((rows - 1) / 2, columns - 1.0)))

    return Rule("slice-width", frozenset({DiameterTask.name}), True, {}, answer)


class ThresholdModel(ModelConfig):
    """Marks whatever is brighter than `above` in FLAIR."""

    scope: ClassVar = PATIENTS_MASK
    question_seconds: ClassVar = 0.01

    kind: Literal["threshold"]
    above: int = 200

    def oracles(self, study) -> Mapping[str, str]:
        return {}

    def build(self, context, round, plane) -> Rule:
        def mark(question):
            return VolumeMask(question.subject.image[0] > self.above)

        return Rule(self.name, frozenset({MASK.name}), False, {"above": self.above}, mark)


TWO_COLOURS = View(
    version="1",
    modalities=2,
    slices=(1,),
    grid=lambda modalities, slices: ((Panel((modalities[0], modalities[1], modalities[1])),),),
    words=lambda problem, modalities, slices, step: f"Red is {modalities[0]}, blue and green are {modalities[1]}.",
)
