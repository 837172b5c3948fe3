"""Made patients: brains with gliomas that were never anybody's, in BraTS 2020's layout at 1 mm.

They prove that the way works. They prove nothing about patients.
"""

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from gliobench.cohort.phantom.anatomy import make_anatomy
from gliobench.cohort.phantom.scanner import scan
from gliobench.cohort.phantom.tumour import draw_habit, grow_tumour
from gliobench.cohort.subject import GRADE_NAMES, HGG, LGG

SHAPE = (240, 240, 155)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
FIELD = (164, 204, 155)  # the part of the volume in which there is anything
CORNER = (38, 18, 0)


def write_phantom(
    out: Path, subjects: int, seed: int, progress: Callable[[int, int], None] | None = None, workers: int = 2
) -> None:
    """Write `subjects` patients, `Phantom_001` and so on, and `name_mapping.csv` with their grades.

    A patient depends on `seed` and its number alone: the same bytes whatever the count, the workers and the machine.
    """
    out.mkdir(parents=True, exist_ok=True)
    numbers = range(1, subjects + 1)
    with (out / "name_mapping.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Grade", "BraTS_2020_subject_ID"])
        table.writerows([GRADE_NAMES[_grade(number)], _id(number)] for number in numbers)
    with ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(lambda number: _write_subject(out, number, seed), numbers), start=1):
            if progress:
                progress(done, subjects)


def _id(number: int) -> str:
    return f"Phantom_{number:03d}"


def _grade(number: int) -> int:
    """Two of five are LGG: both grades are there from two patients on."""
    return LGG if number % 5 in (2, 4) else HGG


def _write_subject(out: Path, number: int, seed: int) -> None:
    random = np.random.default_rng([seed, number])
    grade = _grade(number)
    anatomy = make_anatomy(random, FIELD)
    habit = draw_habit(random, grade)
    labels = grow_tumour(random, anatomy, habit)
    folder = out / _id(number)
    folder.mkdir(exist_ok=True)
    for name, image in scan(random, anatomy, labels, habit, grade).items():
        _write(folder / f"{folder.name}_{name}.nii.gz", image)
    _write(folder / f"{folder.name}_seg.nii.gz", labels)


def _write(path: Path, volume: NDArray[np.int16] | NDArray[np.uint8]) -> None:
    whole = np.zeros(SHAPE, volume.dtype, order="F")
    whole[tuple(slice(start, start + size) for start, size in zip(CORNER, volume.shape, strict=True))] = volume
    path.write_bytes(igzip.compress(nib.Nifti1Image(whole, AFFINE).to_bytes(), 1, mtime=0))
