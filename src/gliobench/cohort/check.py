"""Checks of a patient's voxels; every fault is listed."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume, same_affine
from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.cohort.resample import resampling_fault
from gliobench.cohort.subject import Fault, Subject

VOXEL_MM = (0.05, 20.0)  # from a microscope's to a localiser's; outside, the affine is in other units
ROUNDED = 0.01  # labels stored scaled, or as float32, differ from whole numbers by at most this
NAMED = 5  # labels, in a message


def check_geometry(subject: Subject, volumes: Mapping[str, Volume]) -> Iterator[Fault]:
    """Faults of `volumes` (name -> voxels and affine): all must have the shape and affine of the first, and voxels of
    a size that a scanner can give."""
    first = next(iter(volumes))
    voxels, affine = volumes[first]
    sides_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if sides_mm.min() < VOXEL_MM[0] or sides_mm.max() > VOXEL_MM[1]:
        sides = " x ".join(f"{side:g}" for side in sides_mm.tolist())
        expected = f"{VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm per side"
        yield Fault(
            subject.id, f"by its affine {first} has voxels of {sides} mm; expected {expected}: is the affine in mm?"
        )
    for name, (other, other_affine) in volumes.items():
        if other.ndim != 3:
            yield Fault(subject.id, f"{name} has {other.ndim} axes {other.shape}; expected 3")
        elif other.shape != voxels.shape:
            yield Fault(subject.id, f"{name} has the shape {other.shape}, {first} has {voxels.shape}")
        if not same_affine(other_affine, affine):
            apart = float(np.abs(other_affine - affine).max())
            why = resampling_fault(name, (other, other_affine), volumes[first])
            yield Fault(
                subject.id,
                f"the affine of {name} differs from that of {first} by up to {apart:.3g}, and it is not resampled: "
                f"{why}. If only the header is wrong, give {name} that of {first} (FSL: fslcpgeom); else register and "
                f"resample it onto {first}",
                subject.files[name].path,
            )


def check_image(subject: Subject, name: str, voxels: NDArray[np.generic]) -> Iterator[Fault]:
    """Faults of one image: values that are not finite, also after conversion to float32 for interpolation."""
    if not np.issubdtype(voxels.dtype, np.inexact):
        return
    with np.errstate(over="ignore"):
        bad = int(np.count_nonzero(~np.isfinite(voxels.astype(np.float32, copy=False))))
    if bad:
        found = f"{name} has {bad} voxels that are NaN, infinite or beyond float32 (3.4e38)"
        yield Fault(subject.id, found, subject.images[name].path)


def check_labels(
    subject: Subject, values: Sequence[float], known: frozenset[int], problem: Problem = GLIOMA
) -> Iterator[Fault]:
    """Faults of a mask with these values but 0: labels that are not `known`, or none at all, unless the problem allows
    that."""
    unknown = [f"{value:g}" for value in values if value not in known]
    if unknown:
        found, expected = ", ".join(unknown[:NAMED]), ", ".join(map(str, sorted(known)))
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        yield Fault(subject.id, f"the mask has labels {found}{more}; expected 0, {expected}", subject.mask)
    elif not values:
        if problem.absent == "refused":
            yield Fault(subject.id, f"the mask is empty: no voxel is {problem.finding_words}", subject.mask)
    elif subject.relabel and not any(subject.relabel[int(value)] for value in values):
        found = ", ".join(f"{value:g}" for value in values)
        yield Fault(
            subject.id, f"the mask has the label {found} alone, which is not {problem.finding_words}", subject.mask
        )


def whole_numbers(voxels: NDArray[np.generic]) -> NDArray[np.generic]:
    """A mask's labels as int64 where they are whole numbers up to rounding, else unchanged."""
    if np.issubdtype(voxels.dtype, np.integer) or not np.isfinite(voxels).all():
        return voxels
    rounded = np.rint(voxels)
    near = np.abs(voxels - rounded).max(initial=0) <= ROUNDED and np.abs(rounded).max(initial=0) < 2**31
    return rounded.astype(np.int64) if near else voxels


def labels_in(voxels: NDArray[np.generic]) -> list[float]:
    """The values of a mask but 0, in order."""
    values = np.flatnonzero(np.bincount(voxels.ravel(order="K"))) if voxels.dtype == np.uint8 else np.unique(voxels)
    return [value for value in values.tolist() if value != 0]
