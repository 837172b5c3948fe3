"""Gliomas: high-grade ones with an enhancing ring around a necrotic core in wide oedema, low-grade ones diffuse."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.phantom.anatomy import CSF, GREY, OUTSIDE, WHITE, Anatomy
from gliobench.cohort.phantom.noise import smooth_noise
from gliobench.cohort.subject import HGG

CORE, OEDEMA, ENHANCING = 1, 2, 4  # BraTS labels


@dataclass(frozen=True)
class Habit:
    """How one patient's glioma looks. `radius_mm`: of a ball of the whole tumour's size.

    `core_share`: the core's radius relative to the whole's. `ring_share`: the ring's thickness relative to the core's
    radius. `enhancement`, `brightness`: contrast uptake, and signal in FLAIR and T2, relative to the usual.
    """

    radius_mm: float
    core_share: float
    ring_share: float
    raggedness: float
    enhancement: float
    brightness: float
    lesions: int


def draw_habit(random: np.random.Generator, grade: int) -> Habit:
    """At random; about one in five is hard on purpose: small, faint, or with the other grade's enhancement."""
    hard = random.random() < 0.2
    size_cm3 = random.lognormal(np.log(12 if hard and random.random() < 0.5 else 85), 0.45)
    radius_mm = (3 * size_cm3 * 1000 / (4 * np.pi)) ** (1 / 3)
    if grade == HGG:
        ring = random.uniform(0.18, 0.42)
        enhancement = random.uniform(0.25, 0.5) if hard else random.uniform(0.75, 1.2)
        core = random.uniform(0.45, 0.72)
    else:
        ring = random.uniform(0.08, 0.16) if hard or random.random() < 0.15 else 0.0
        enhancement = random.uniform(0.3, 0.8)
        core = random.uniform(0.6, 0.9)
    brightness = random.uniform(0.45, 0.7) if hard else random.uniform(0.75, 1.15)
    lesions = 2 if random.random() < (0.25 if grade == HGG else 0.08) else 1
    return Habit(radius_mm, core, ring, random.uniform(0.16, 0.32), enhancement, brightness, lesions)


def grow_tumour(random: np.random.Generator, anatomy: Anatomy, habit: Habit, growth: float = 1.0) -> NDArray[np.uint8]:
    """(X, Y, Z) uint8 of BraTS labels 0, 1, 2, 4. The glioma spreads in white matter, less in grey, not into fluid.

    `growth`: its radius relative to the habit's; its position does not depend on it.
    """
    labels = np.zeros(anatomy.tissue.shape, np.uint8)
    ragged = smooth_noise(random, anatomy.tissue.shape, 9, anatomy.spacing_mm) + 0.5 * smooth_noise(
        random, anatomy.tissue.shape, 4, anatomy.spacing_mm
    )
    middle = _seed(random, anatomy, least_depth_mm=min(22.0, 6 + habit.radius_mm / 2))
    for number in range(habit.lesions):
        radius_mm = habit.radius_mm if number == 0 else habit.radius_mm * random.uniform(0.3, 0.5)
        if number > 0:
            middle = _seed(random, anatomy, least_depth_mm=10)
        lesion = _lesion(random, anatomy, habit, middle, radius_mm * growth, ragged)
        labels = np.where(lesion > 0, lesion, labels)
    return labels


def _seed(random: np.random.Generator, anatomy: Anatomy, least_depth_mm: float) -> NDArray[np.float64]:
    """A point of the cerebrum's white matter, off the midline and above the base."""
    x, y, z = anatomy.points
    good = (anatomy.tissue == WHITE) & (anatomy.depth_mm > least_depth_mm) & (np.abs(x) > 14) & (z > -25) & (y < 60)
    places = np.flatnonzero(good)
    place = np.unravel_index(places[random.integers(len(places))], good.shape)
    return np.asarray(anatomy.points[(slice(None), *place)], dtype=np.float64)


def _lesion(
    random: np.random.Generator,
    anatomy: Anatomy,
    habit: Habit,
    middle: NDArray[np.float64],
    radius_mm: float,
    ragged: NDArray[np.float32],
) -> NDArray[np.uint8]:
    stretch = np.exp(random.normal(0, 0.18, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    squares = [((axis - m) / s) ** 2 for axis, m, s in zip(anatomy.points, middle, stretch, strict=True)]
    distance = np.sqrt(squares[0] + squares[1] + squares[2]) / radius_mm
    resistance = np.where(anatomy.tissue == GREY, 0.14, 0.0).astype(np.float32)
    whole = distance + habit.raggedness * ragged + resistance
    core = distance / habit.core_share + 0.8 * habit.raggedness * np.roll(ragged, round(7 / anatomy.spacing_mm), axis=0)
    host = (anatomy.tissue != OUTSIDE) & (anatomy.depth_mm > 2)
    open_fluid = (anatomy.tissue == CSF) & (distance > 0.55)  # a core displaces sulci; oedema leaves them
    labels = np.zeros(whole.shape, np.uint8)
    labels[(whole < 1.08) & host & ~open_fluid] = OEDEMA
    inside = (core < 1) & host & (whole < 1.2)
    labels[inside] = CORE
    labels[inside & (core > 1 - habit.ring_share)] = ENHANCING
    return labels
