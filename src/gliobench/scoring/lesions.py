"""Lesion by lesion: does a volume show all of them, and how many that are none?

By the rule of BraTS 2023 (github.com/rachitsaluja/BraTS-2023-Metrics, its settings for gliomas) a lesion of the answer
is a 26-connected component, and true components that meet once they are grown by 3 voxels are one lesion. A component
within these 3 voxels touches the lesion. True lesions of up to 50 mm³ are not counted, but what touches them is not
false. Recognition quality (Kirillov 2019, arXiv:1801.00868; panoptica) takes every component by itself.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.scoring.metric import AnswerMetric, Compared, Condition

GROWN_VOXELS = 3
IGNORED_MM3 = 50
SAME_LESION_IOU = 0.5
ALL_NEIGHBOURS = ndimage.generate_binary_structure(3, 3)
EDGE_NEIGHBOURS = ndimage.generate_binary_structure(3, 2)  # by which BraTS 2023 grows


@dataclass(frozen=True, eq=False)
class Components:
    """The parts of a mask of three axes. `labels`: int32, the mask's shape, from 1, 0 outside. `sizes`: (parts,) int,
    the voxels of the mask in each; `grown` parts also have labels around it."""

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]


def find_components(mask: NDArray[np.bool_], grown: bool = False) -> Components:
    """The 26-connected components of a bool array of three axes; with `grown`, of what it becomes by 3 voxels more."""
    area = ndimage.binary_dilation(mask, EDGE_NEIGHBOURS, iterations=GROWN_VOXELS) if grown else mask
    labels, count = ndimage.label(area, ALL_NEIGHBOURS)
    return Components(labels, np.bincount(labels[mask], minlength=count + 1)[1:])


@dataclass(frozen=True, eq=False)
class Pairs:
    """The parts of two masks that share voxels: `first`, `second`: their numbers from 0; `shared`: how many voxels."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: NDArray[np.int64]


def _pairs(one: Components, other: Components) -> Pairs:
    both = (one.labels > 0) & (other.labels > 0)
    width = len(other.sizes) + 1
    flat, shared = np.unique(one.labels[both].astype(np.int64) * width + other.labels[both], return_counts=True)
    return Pairs(flat // width - 1, flat % width - 1, shared)


def _counted(areas: Compared) -> NDArray[np.bool_]:
    """Which true lesions are counted."""
    counted: NDArray[np.bool_] = areas.truth.lesions.sizes * math.prod(areas.spacing_mm) > IGNORED_MM3
    return counted


def lesion_dice(areas: Compared) -> float:
    """The mean of the Dice of every true lesion with all components that touch it, and of 0 for every false one."""
    lesions, parts = areas.truth.lesions, areas.answer.components
    touching = _pairs(lesions, parts)
    sizes = np.bincount(touching.first, weights=parts.sizes[touching.second], minlength=len(lesions.sizes))
    inside = lesions.labels[areas.answer.pixels & areas.truth.pixels]
    shared = np.bincount(inside, minlength=len(lesions.sizes) + 1)[1:]
    dice = (2 * shared / (lesions.sizes + sizes))[_counted(areas)]
    total = len(dice) + len(parts.sizes) - len(np.unique(touching.second))
    return float(dice.sum() / total) if total else 1.0


def lesion_recall(areas: Compared) -> float:
    """The share of the true lesions that a component touches."""
    found = np.zeros(len(areas.truth.lesions.sizes), dtype=bool)
    found[_pairs(areas.truth.lesions, areas.answer.components).first] = True
    return float(found[_counted(areas)].mean())


def false_positives(areas: Compared) -> float:
    """The number of components that touch no true lesion."""
    touching = _pairs(areas.truth.lesions, areas.answer.components).second
    return float(len(areas.answer.components.sizes) - len(np.unique(touching)))


def lesion_f1(areas: Compared) -> float:
    """2 TP / (components of both), with TP pairs of an intersection over union from 0.5; so no component is in two."""
    truth, answer = areas.truth.components, areas.answer.components
    pairs = _pairs(truth, answer)
    union = truth.sizes[pairs.first] + answer.sizes[pairs.second] - pairs.shared
    return float(2 * (pairs.shared >= SAME_LESION_IOU * union).sum() / (len(truth.sizes) + len(answer.sizes)))


WITH_LESION = Condition(lambda areas: bool(_counted(areas).any()), f"no lesion above {IGNORED_MM3} mm³")
_of_lesions = partial(AnswerMetric, of="area", of_volumes=True)
_share = partial(_of_lesions, unit="share", better="higher", unanswered=0.0, both_empty=1.0)
METRICS = (
    _share("lesion_dice", "lesion-wise Dice", measure=lesion_dice, one_empty=lesion_dice),
    _share("lesion_f1", "lesion F1", measure=lesion_f1, one_empty=0.0),
    _share("lesion_recall", "lesion recall", measure=lesion_recall, one_empty=0.0, only=WITH_LESION),
    _of_lesions(
        *("false_positives", "false lesions", "a scan", "lower"),
        measure=false_positives,
        unanswered=math.nan,  # a count has no worst value, so the cohort's figure is undefined
        one_empty=false_positives,
        both_empty=0.0,
    ),
)
