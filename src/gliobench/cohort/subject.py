"""The types of a cohort: a subject, its files, its faults, and the cohort itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.patients import patient_of
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.errors import GliobenchError, printable

LGG, HGG = 0, 1


@dataclass(frozen=True)
class ImageFile:
    """One image on disk: a 3D file, or one channel (last axis) of a 4D file."""

    path: Path
    channel: int | None = None


@dataclass(frozen=True)
class Subject:
    """One scan of a patient: `grade` is the number of its class or None; `images` maps the name of each of the
    problem's images to its file, in the order of the channels.

    `relabel`: where the mask's labels differ from most of BraTS, a mapping from every label that it may hold to BraTS's
    (0: not tumour); see `gliobench.cohort.label_schemes`. `patient`: the patient's name; read from the form of the id
    by default, and the id itself where that names no time point. `variables`: what a table says of the patient beside
    all that, such as age or scanner, as it is written there. `readers`: the masks of single readers; one file alone is
    coded by bits, the lowest for the first reader. `lacking`: the problem's images that the patient has not.
    `structures`: the label of each structure of a DICOM mask, by its name.
    """

    id: str
    grade: int | None
    images: Mapping[str, ImageFile]
    mask: Path | None
    relabel: Mapping[int, int] = field(default_factory=dict)
    patient: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[Path, ...] = ()
    lacking: tuple[str, ...] = ()
    structures: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.patient:
            object.__setattr__(self, "patient", patient_of(self.id))

    @property
    def files(self) -> dict[str, ImageFile]:
        """All files by what they hold: the images in the order of the channels, the mask, the readers' masks."""
        masks = {"mask": self.mask} if self.mask else {}
        for number, path in enumerate(self.readers, start=1):
            masks[f"mask of reader {number}" if self.readers[1:] else "masks of readers"] = path
        return {**self.images, **{name: ImageFile(path) for name, path in masks.items()}}


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
    """What reading a patient's voxels found.

    `voxels`: each image's digests, equal where another patient's has the same voxels. `labels`: the labels of the
    mask on disk, without 0. `notes`: sentences for a reader of the results.
    """

    voxels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cohort:
    """The patients' scans found under `root`, sorted by id, each id once.

    `labels` are the non-zero values that masks of this layout may hold on disk (together they are the whole tumour).
    `faults` are the patients that were found and cannot be used; they are not among `subjects`. `notes`: sentences on
    the cohort for a reader of the results. `problem`: what its images, classes and labels are.
    """

    name: str
    root: Path
    layout: str
    labels: frozenset[int]
    subjects: tuple[Subject, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    problem: Problem = GLIOMA

    @property
    def absent(self) -> bool:
        """Whether a mask may be empty."""
        return self.problem.absent == "allowed"


@dataclass(frozen=True)
class RawSubject:
    """One patient's voxels as stored on disk.

    `images`: (C, X, Y, Z) in the order of the channels; `labels`: (X, Y, Z) uint8, relabelled as BraTS's, or None;
    `readers`: (X, Y, Z) uint8, a bit for each reader who marked the voxel, or None; `lacking`: images that are 0
    everywhere because there is none; `affine`: (4, 4) float64, voxel index (x, y, z) to world millimetres (RAS+), as
    nibabel gives it. `content`: SHA-256 of the bytes of all files and of the relabelling, hexadecimal.
    """

    id: str
    grade: int | None
    images: NDArray[np.generic]
    labels: NDArray[np.uint8] | None
    affine: NDArray[np.float64]
    content: str
    readers: NDArray[np.uint8] | None = None
    lacking: tuple[str, ...] = ()
    findings: Findings = field(default_factory=Findings)


class CohortError(GliobenchError, ValueError):
    """A cohort, or some of its patients, cannot be used; the message lists every fault."""

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(printable(message))
        self.faults = faults


def named(ids: Sequence[str], most: int = 3) -> str:
    """How many patients, and the first of their ids."""
    first = printable(", ".join(ids[:most])) + (", …" if len(ids) > most else "")
    return f"{len(ids)} patient{'' if len(ids) == 1 else 's'} ({first})"
