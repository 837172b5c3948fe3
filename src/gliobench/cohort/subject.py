"""The nouns of a cohort: a subject, its files, what is wrong with it, and the cohort itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.patients import patient_of
from gliobench.errors import GliobenchError, printable

LGG, HGG = 0, 1
GRADE_NAMES = ("LGG", "HGG")
MODALITIES = ("flair", "t1", "t1ce", "t2")  # the order of the channels everywhere


@dataclass(frozen=True)
class ImageFile:
    """One modality on disk: a 3D file, or one channel (last axis) of a 4D file."""

    path: Path
    channel: int | None = None


@dataclass(frozen=True)
class Subject:
    """One scan of a patient: `grade` is LGG (0), HGG (1) or None; `images` maps each of `MODALITIES` to its file.

    `relabel`: where the mask's labels do not mean what they do in most of BraTS, every label that it may hold and
    BraTS's for it (0: not tumour); see `gliobench.cohort.label_schemes`. `patient`: whose scan it is; by the form of
    the id where nothing else is said, and the id itself where that names no time.
    """

    id: str
    grade: int | None
    images: Mapping[str, ImageFile]
    mask: Path | None
    relabel: Mapping[int, int] = field(default_factory=dict)
    patient: str = ""

    def __post_init__(self) -> None:
        if not self.patient:
            object.__setattr__(self, "patient", patient_of(self.id))


@dataclass(frozen=True)
class Fault:
    """Why a subject cannot be used: what was found, what was expected, and in which file."""

    subject_id: str
    problem: str
    path: Path | None = None

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        return printable(f"{self.subject_id}: {self.problem}{where}".replace("\n", "\\n"))


@dataclass(frozen=True)
class Findings:
    """What a patient's voxels told when they were read.

    `voxels`: each modality's digests, equal where another patient's has the same voxels. `labels`: the labels of the
    mask as it lies on disk, without 0. `notes`: sentences on what a reader of the figures has to know.
    """

    voxels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cohort:
    """The patients' scans found under `root`, sorted by id, each id once.

    `labels` are the non-zero values that masks of this layout may hold on disk (together they are the whole tumour).
    `faults` are the patients that were found and cannot be used; they are not among `subjects`. `notes`: sentences on
    the cohort that a reader of the figures has to know.
    """

    name: str
    root: Path
    layout: str
    labels: frozenset[int]
    subjects: tuple[Subject, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawSubject:
    """One patient's voxels as they lie on disk.

    `images`: (4, X, Y, Z) in the order of `MODALITIES`; `labels`: (X, Y, Z) uint8, relabelled as BraTS's, or None;
    `affine`: (4, 4) float64, voxel index (x, y, z) to world millimetres (RAS+), as nibabel gives it.
    `content`: SHA-256 of the bytes of all files and of the relabelling, hexadecimal.
    """

    id: str
    grade: int | None
    images: NDArray[np.generic]
    labels: NDArray[np.uint8] | None
    affine: NDArray[np.float64]
    content: str
    findings: Findings = field(default_factory=Findings)


class CohortError(GliobenchError, ValueError):
    """A cohort, or some of its patients, cannot be used; the message lists every fault."""

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(printable(message))
        self.faults = faults


def named(ids: Sequence[str], most: int = 3) -> str:
    """How many patients, and who the first of them are."""
    first = printable(", ".join(ids[:most])) + (", …" if len(ids) > most else "")
    return f"{len(ids)} patient{'' if len(ids) == 1 else 's'} ({first})"
