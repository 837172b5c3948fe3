"""Synthetic patients with one lung nodule on CT, of the problem `nodules`: three classes that differ in size, spicules
and density, as a table with one clinical variable.

They show that the software works. They show nothing about patients.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliobench.cohort.layouts.layout import read_csv
from gliobench.cohort.phantom.noise import Field, smooth_noise
from gliobench.cohort.phantom.writing import Progress, check_replaceable, write_all, write_volume
from gliobench.cohort.problem import NODULES

TABLE = "cohort.csv"
COLUMNS = ("id", "class", "age", "ct", "mask")
SHAPE = (96, 96, 24)
SPACING_MM = (0.7, 0.7, 2.0)
MARGIN_MM = 14.0  # of the nodule's middle from the edges: most of the largest are inside
LUNG_HU, LUNG_TEXTURE_HU = -860.0, 35.0
VESSEL_HU, VESSEL_WIDTH = -350.0, 0.1  # the width in standard deviations of two fields, whose common zeros are curves
EDGE_VOXELS = (0.7, 0.7, 0.25)  # the Gaussian by which a scanner blurs
NOISE_HU = (15.0, 30.0)
AGE_DEVIATION = 9.0

Range = tuple[float, float]


@dataclass(frozen=True)
class Habit:
    """How the nodules of a class look. `spicules`: how many; `spicule_share`: their length relative to the radius;
    `age`: the patients' mean, in years."""

    radius_mm: Range
    density_hu: Range
    spicules: tuple[int, int]
    spicule_share: Range
    age: float


HABITS = {
    "benign": Habit((3.0, 5.2), (60, 320), (0, 1), (0.1, 0.3), 56),
    "indeterminate": Habit((4.4, 6.6), (-320, -120), (2, 5), (0.3, 0.5), 60),
    "malignant": Habit((5.8, 9.0), (-60, 60), (7, 12), (0.4, 0.8), 64),
}


def write_nodules(
    out: Path, subjects: int, seed: int, progress: Progress | None = None, workers: int = 2, healthy: int = 0
) -> None:
    """Write `subjects` patients with a nodule, `Nodule_001` and so on, the classes in turn; `healthy` ones without,
    `Healthy_001` and so on, of no class and with an empty mask; and `cohort.csv`.

    A patient depends only on `seed` and its number: the same bytes whatever the count and the workers. Raises
    CohortError where `out` holds anything but these phantoms.
    """
    names = list(NODULES.classes)
    patients = [(f"Nodule_{number:03d}", number, names[(number - 1) % len(names)]) for number in range(1, subjects + 1)]
    patients += [(f"Healthy_{number:03d}", number, "") for number in range(1, healthy + 1)]
    table = out / TABLE
    listed = [row[0] for row in read_csv(table)[1]] if table.exists() else []
    check_replaceable(out, TABLE, listed, {id for id, *_ in patients})
    out.mkdir(parents=True, exist_ok=True)
    randoms = {id: np.random.default_rng([seed, number, id.startswith("Healthy")]) for id, number, _ in patients}
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(
            (id, name, _age(randoms[id], name), f"{id}/ct.nii.gz", f"{id}/mask.nii.gz") for id, _, name in patients
        )
    write_all(lambda one: _write_patient(out / one[0], randoms[one[0]], one[2]), patients, progress, workers)


def _age(random: np.random.Generator, name: str) -> int:
    mean = HABITS[name].age if name else HABITS["benign"].age
    return round(random.normal(mean, AGE_DEVIATION))


def _write_patient(folder: Path, random: np.random.Generator, name: str) -> None:
    density = _lung(random)
    nodule = np.zeros(SHAPE, np.bool_)
    if name:
        nodule = _nodule(random, HABITS[name])
        density[nodule] = random.uniform(*HABITS[name].density_hu)
    blurred = ndimage.gaussian_filter(density, EDGE_VOXELS)
    measured = blurred + random.uniform(*NOISE_HU) * random.standard_normal(SHAPE, dtype=np.float32)
    folder.mkdir(exist_ok=True)
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1])
    write_volume(folder / "ct.nii.gz", np.rint(measured).astype(np.int16), affine)
    write_volume(folder / "mask.nii.gz", nodule.astype(np.uint8), affine)


def _lung(random: np.random.Generator) -> Field:
    """Hounsfield units of lung without a nodule: air, texture and vessels."""
    texture = LUNG_HU + LUNG_TEXTURE_HU * smooth_noise(random, SHAPE, 4, SPACING_MM[0])
    curves = np.hypot(*(smooth_noise(random, SHAPE, 12, SPACING_MM[0]) for _ in range(2)))
    found: Field = np.where(curves < VESSEL_WIDTH, VESSEL_HU, texture).astype(np.float32)
    return found


def _nodule(random: np.random.Generator, habit: Habit) -> NDArray[np.bool_]:
    """The voxels of a ball with spicules: cones that point from it in random directions."""
    radius_mm = random.uniform(*habit.radius_mm)
    size_mm = np.multiply(SHAPE, SPACING_MM)
    middle_mm = random.uniform(MARGIN_MM, size_mm - MARGIN_MM)
    grid = np.indices(SHAPE, np.float32) * np.reshape(SPACING_MM, (3, 1, 1, 1))
    offset = grid - middle_mm.reshape(3, 1, 1, 1)
    distance_mm = np.sqrt((offset**2).sum(axis=0))
    direction = offset / np.maximum(distance_mm, 1e-3)
    reach = np.ones(SHAPE)
    for _ in range(random.integers(*habit.spicules, endpoint=True)):
        spicule = random.standard_normal(3)
        cosine = np.tensordot(spicule / np.linalg.norm(spicule), direction, axes=1)
        reach += random.uniform(*habit.spicule_share) * np.exp((cosine - 1) / 0.03)  # some 14 degrees wide
    return np.asarray(distance_mm < radius_mm * reach)
