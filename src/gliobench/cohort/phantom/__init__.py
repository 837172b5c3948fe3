"""Synthetic patients: brains with gliomas, in BraTS 2020's layout.

They show that the software works. They show nothing about patients.
"""

import csv
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.layouts.brats2020 import ID_COLUMN, TABLE, read_grades
from gliobench.cohort.phantom.anatomy import make_anatomy
from gliobench.cohort.phantom.scanner import scan
from gliobench.cohort.phantom.tumour import draw_habit, grow_tumour
from gliobench.cohort.phantom.writing import Progress, check_replaceable, write_all, write_volume
from gliobench.cohort.problem import GLIOMA
from gliobench.cohort.subject import HGG, LGG

SHAPE_MM = (240, 240, 155)
FIELD_MM = (164, 204, 155)  # the part of the volume that is not empty
CORNER_MM = (38, 18, 0)
GROWTH = 1.08  # of the radius from one scan to the next: a quarter of the volume


def write_phantom(
    out: Path,
    subjects: int,
    seed: int,
    progress: Progress | None = None,
    workers: int = 2,
    spacing_mm: float = 1.0,
    timepoints: int = 1,
) -> None:
    """Write `subjects` patients, `Phantom_001` and so on, and `name_mapping.csv` with their grades.

    `spacing_mm`: a voxel's side; at 3 mm a patient takes a thirtieth of the time. A patient depends only on `seed`, its
    number and the spacing: the same bytes whatever the count, the workers and the machine. `timepoints`: how many scans
    of each; with more than one they are `Phantom_001-000`, `Phantom_001-001` and so on, and the tumour grows from each
    to the next. Raises CohortError where `out` holds anything but these phantoms.
    """
    numbers = range(1, subjects + 1)
    ids = {number: _ids(number, timepoints) for number in numbers}
    listed = read_grades(out / TABLE) if (out / TABLE).exists() else ()
    check_replaceable(out, TABLE, listed, {id for own in ids.values() for id in own})
    out.mkdir(parents=True, exist_ok=True)
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Grade", ID_COLUMN])
        table.writerows([GLIOMA.classes[_grade(number)], id] for number in numbers for id in ids[number])
    write_all(lambda number: _write_patient(out, number, ids[number], seed, spacing_mm), numbers, progress, workers)


def _ids(number: int, timepoints: int) -> list[str]:
    """The ids of a patient's scans, as BraTS 2023 has them where there are several."""
    patient = f"Phantom_{number:03d}"
    return [patient] if timepoints == 1 else [f"{patient}-{time:03d}" for time in range(timepoints)]


def _grade(number: int) -> int:
    """Two of five are LGG: two patients are enough for both grades."""
    return LGG if number % 5 in (2, 4) else HGG


def _write_patient(out: Path, number: int, ids: Sequence[str], seed: int, spacing_mm: float) -> None:
    random = np.random.default_rng([seed, number])
    grade = _grade(number)
    anatomy = make_anatomy(random, _voxels(FIELD_MM, spacing_mm), spacing_mm)
    habit = draw_habit(random, grade)
    for time, id in enumerate(ids):
        now = deepcopy(random)  # every scan starts from the same random state: the tumour grows where it was
        labels = grow_tumour(now, anatomy, habit, GROWTH**time)
        noise = now if time == 0 else np.random.default_rng([seed, number, time])
        folder = out / id
        folder.mkdir(exist_ok=True)
        for name, image in scan(noise, anatomy, labels, habit, grade).items():
            _write(folder / f"{id}_{name}.nii.gz", image, spacing_mm)
        _write(folder / f"{id}_seg.nii.gz", labels, spacing_mm)


def _write(path: Path, volume: NDArray[np.int16] | NDArray[np.uint8], spacing_mm: float) -> None:
    whole = np.zeros(_voxels(SHAPE_MM, spacing_mm), volume.dtype, order="F")
    corner = _voxels(CORNER_MM, spacing_mm)
    whole[tuple(slice(start, start + size) for start, size in zip(corner, volume.shape, strict=True))] = volume
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1])
    affine[1, 3] = SHAPE_MM[1] - 1
    write_volume(path, whole, affine)


def _voxels(length_mm: tuple[int, int, int], spacing_mm: float) -> tuple[int, int, int]:
    x, y, z = (int(side / spacing_mm) for side in length_mm)
    return x, y, z
