"""Named structures of DICOM masks: the contours of an RTSTRUCT drawn on the slices of an image, and which of several
structures or segments is which label."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from gliobench.cohort.align import Volume, is_sound
from gliobench.cohort.formats.stored import VolumeError

if TYPE_CHECKING:
    from pydicom import Dataset

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
OFF_PLANE = 0.1  # voxels that the points of one contour may lie off one slice, as writers round them
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # of RAS+
Labels = Mapping[str, int]  # by the name of a structure


def chosen(names: Mapping[int, str], wanted: Labels, kind: str) -> dict[int, int]:
    """The label of each structure, by its number in the file; `names`: of the structures there are, by number.

    Without `wanted` the only one is 1. Raises VolumeError where nothing wanted is there, where a name stands twice, and
    where nobody says which of several is meant.
    """
    there = ", ".join(names.values()) or "none"
    if not wanted:
        if len(names) != 1:
            raise VolumeError(
                f"{len(names)} {kind} ({there}): say in `problem:` which is which label, such as "
                f"`structures: {{{next(iter(names.values()), 'GTV')}: 1}}`"
            )
        return dict.fromkeys(names, 1)
    labels = {name.strip().lower(): label for name, label in wanted.items()}
    found = {number: labels[key] for number, name in names.items() if (key := name.strip().lower()) in labels}
    if not found:
        raise VolumeError(f"none of the structures {', '.join(wanted)} is among its {kind}: {there}")
    meant = [names[number].strip().lower() for number in found]
    if twice := sorted({name for name in meant if meant.count(name) > 1}):
        raise VolumeError(f"several of its {kind} are named {', '.join(twice)}: rename or delete all but one")
    return found


def drawn(dataset: "Dataset", onto: Volume | None, wanted: Labels) -> Volume:
    """The contours of an RTSTRUCT as a mask (X, Y, Z) uint8 on the voxels of `onto`, the patient's first image.

    A voxel is in a structure where its centre is inside an odd number of the structure's contours in its slice. Raises
    VolumeError without an image, for contours that are open, oblique, between slices or outside the image, for
    structures that overlap, and for those that were drawn on every second slice or fewer.
    """
    if onto is None or onto[0].ndim != 3 or not is_sound(onto[1]):
        raise VolumeError("an RTSTRUCT (contours): it needs one 3D image of the patient that they are drawn on")
    names = {int(one.ROINumber): str(one.get("ROIName", "")) for one in dataset.StructureSetROISequence}
    contours = {
        int(one.ReferencedROINumber): list(one.get("ContourSequence", [])) for one in dataset.ROIContourSequence
    }
    labels = chosen({number: names[number] for number in contours if contours[number]}, wanted, "structures")
    mask = np.zeros(onto[0].shape, dtype=np.uint8)
    to_voxels = np.linalg.inv(TO_LPS @ onto[1]).astype(np.float64)
    for number, label in labels.items():
        inside = _structure(names[number], contours[number], to_voxels, onto[0].shape)
        if (mask[inside] > 0).any():
            raise VolumeError(f"the structure {names[number]} overlaps another one: choose structures that do not")
        mask[inside] = label
    return mask, onto[1]


def _structure(
    name: str, contours: Sequence["Dataset"], to_voxels: NDArray[np.float64], shape: Sequence[int]
) -> NDArray[np.bool_]:
    """The voxels (X, Y, Z) of one structure."""
    inside = np.zeros(shape, dtype=bool)
    placed = list(_placed(name, contours, to_voxels, shape))
    _refuse_sparse(name, {(axis, index) for axis, index, _ in placed})
    for axis, index, points in placed:
        plane = tuple(size for other, size in enumerate(shape) if other != axis)
        slicing = tuple(index if other == axis else slice(None) for other in range(3))
        inside[slicing] ^= polygon2mask(plane, points)
    return inside


def _placed(
    name: str, contours: Sequence["Dataset"], to_voxels: NDArray[np.float64], shape: Sequence[int]
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Of each contour the axis across it, its slice, and its corners (N, 2) in voxels along the other two axes."""
    for contour in contours:
        if (kind := str(contour.get("ContourGeometricType"))) not in CLOSED:
            raise VolumeError(f"the structure {name} has a contour of type {kind}; expected closed planar ones")
        points = np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        voxels = points @ to_voxels[:3, :3].T + to_voxels[:3, 3]
        axis = int(np.argmin(np.ptp(voxels, axis=0)))
        index = round(float(voxels[:, axis].mean()))
        off = float(np.abs(voxels[:, axis] - index).max())
        if off > OFF_PLANE:
            raise VolumeError(
                f"a contour of the structure {name} lies {off:.2f} voxels off the image's slices: it was drawn on "
                "another series; give that one as the first image, or save the structure as DICOM-SEG or NRRD"
            )
        corners = np.delete(voxels, axis, axis=1)
        plane = np.delete(np.array(shape), axis)
        if not 0 <= index < shape[axis] or (corners < -0.5).any() or (corners > plane - 0.5).any():
            raise VolumeError(f"the structure {name} reaches outside the image: it is of another series or patient")
        yield axis, index, corners


def _refuse_sparse(name: str, slices: set[tuple[int, int]]) -> None:
    """Raise VolumeError where contours cross each other, or no two are in neighbouring slices."""
    if len({axis for axis, _ in slices}) > 1:
        raise VolumeError(f"the structure {name} has contours in several directions; expected parallel ones")
    steps = np.diff(sorted(index for _, index in slices))
    if len(steps) and steps.min() > 1:
        raise VolumeError(
            f"the structure {name} was drawn on every {steps.min()} slices of the image: interpolate it between them"
        )
