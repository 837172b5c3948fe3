"""A patient on the common grid."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.patients import patient_of
from gliobench.cohort.subject import Findings
from gliobench.grid.frame import Plane, SliceFrame, slice_frame


@dataclass(frozen=True)
class PreparedSubject:
    """One scan of a patient resampled to the grid; the arrays are read-only memory maps.

    `image`: (4, D, H, W) uint8 in the order of `MODALITIES`, 0 outside the brain.
    `labels`: (D, H, W) uint8 with the source's own labels, or None where there is no mask.
    `affine`: (4, 4) float64, grid index (d, h, w) to world millimetres (RAS+).
    `native_affine`, `native_shape`: those of the source files, index (x, y, z).
    `oracle`: True where the truth was used to place the grid.
    `content`: hexadecimal digest of source voxels and recipe; two equal digests are equal arrays.
    `findings`: what the source's voxels told.
    `patient`: whose scan it is, as the cohort says; by the form of the id where nothing is said.
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

    @property
    def tumour(self) -> NDArray[np.bool_]:
        """The whole tumour, (D, H, W) bool. Raises ValueError where the patient has no mask."""
        if self.labels is None:
            raise ValueError(f"{self.id} has no mask: tasks that need a truth cannot use this patient")
        return np.asarray(self.labels) > 0

    def frame(self, plane: Plane, index: int) -> SliceFrame:
        """The frame of one slice."""
        return slice_frame(plane, index, self.shape, self.spacing_mm)
