"""A patient on the common grid."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.label_schemes import UNDIVIDED
from gliobench.cohort.patients import patient_of
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.subject import Findings
from gliobench.grid.frame import Plane, SliceFrame, slice_frame
from gliobench.grid.regions import (
    BRATS_REGIONS,
    WHOLE,
    WHOLE_KEY,
    Region,
    RegionName,
    is_divided,
    region_mask,
    regions_of,
)


@dataclass(frozen=True)
class PreparedSubject:
    """One scan of a patient resampled to the grid; the arrays are read-only memory maps.

    `image`: (C, D, H, W) uint8 in the order of the problem's images, 0 outside the body. `labels`: (D, H, W) uint8 with
    the source's own labels, or None where there is no mask. `affine`: (4, 4) float64, grid index (d, h, w) to world
    millimetres (RAS+). `native_affine`, `native_shape`: those of the source files, index (x, y, z). `oracle`: True
    where the truth was used to place the grid. `content`: hexadecimal digest of source voxels, recipe and region; two
    equal digests are equal arrays and truths. `findings`: what reading the source's voxels found. `patient`: the
    patient's name, from the cohort; by default from the form of the id. `region`: the part of the tumour that is asked
    about. `problem`: what its images and classes are. `variables`: what the cohort's table says of the patient beside.
    `readers`: (D, H, W) uint8, a bit for each reader who marked the voxel, or None.
    """

    id: str
    grade: int | None
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None
    affine: NDArray[np.float64]
    native_affine: NDArray[np.float64]
    native_shape: tuple[int, int, int]
    oracle: bool
    content: str
    findings: Findings = field(default_factory=Findings)
    patient: str = ""
    region: Region = WHOLE
    problem: Problem = field(default=GLIOMA, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)
    readers: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if not self.patient:
            object.__setattr__(self, "patient", patient_of(self.id))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W)."""
        depth, height, width = self.image.shape[1:]
        return depth, height, width

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Millimetres between neighbouring voxels along depth, height and width."""
        depth, height, width = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(depth), float(height), float(width)

    def image_of(self, name: str) -> NDArray[np.uint8]:
        """One image by its name, (D, H, W). Raises ValueError for one that the problem has not."""
        found: NDArray[np.uint8] = self.image[self.problem.channel(name)]
        return found

    @property
    def tumour(self) -> NDArray[np.bool_]:
        """The tumour, or in a study of one region that region: (D, H, W) bool. Raises ValueError where the patient has
        no mask."""
        return self.region.mask(self._known_labels)

    def part(self, region: RegionName) -> NDArray[np.bool_]:
        """The target of a network for `region`, (D, H, W) bool; `whole` is the tumour that is asked about. Raises
        ValueError where the patient has no mask."""
        return self.tumour if region == "whole" else region_mask(self._known_labels, region)

    @property
    def divided(self) -> bool:
        """Whether the mask tells the parts of the tumour. Raises ValueError where the patient has no mask."""
        return is_divided(self._known_labels)

    def tells(self, region: Region) -> bool:
        """Whether there is a mask that tells a region, were it empty, from the rest of the tumour."""
        if self.labels is None:
            return False
        return region.whole or UNDIVIDED in self.problem.labels or self.divided

    @property
    def _known_labels(self) -> NDArray[np.uint8]:
        if self.labels is None:
            raise ValueError(f"{self.id} has no mask: tasks that need a truth cannot use this patient")
        return self.labels

    def frame(self, plane: Plane, index: int) -> SliceFrame:
        """The frame of one slice."""
        return slice_frame(plane, index, self.shape, self.spacing_mm)


def asked_about(subject: PreparedSubject, region: Region) -> PreparedSubject:
    """The patient in a study of a region of the tumour: that region as truth, and a content of its own."""
    if region.whole:
        return replace(subject, region=region)
    told = (
        region.key if region in BRATS_REGIONS.values() or len(region.labels) == 1 else f"{region.key} {region.labels}"
    )
    content = hashlib.sha256(f"{subject.content} {told}".encode()).hexdigest()
    return replace(subject, region=region, content=content)


def untold(subjects: Iterable[PreparedSubject], region: Region) -> str | None:
    """Why these patients' masks do not distinguish a region from the rest of the tumour; None where one of them does,
    or for the whole tumour."""
    if region.whole:
        return None
    inside, outside, whole = False, False, ""
    for subject in subjects:
        if subject.labels is None:
            continue
        whole = regions_of(subject.problem)[WHOLE_KEY].title
        found, tumour = region.mask(subject.labels), np.asarray(subject.labels) > 0
        inside, outside = inside or bool(found.any()), outside or bool((tumour & ~found).any())
        if inside and outside:
            return None
    if not inside and not outside:
        return None
    return "no mask has it" if outside else f"it covers all that the masks mark, so it would be the {whole}"
