"""Whether a patient's voxels can be used; every fault is named."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.subject import Fault, Subject

AFFINE_TOLERANCE = 1e-3  # millimetres; writers round affines differently

Volume = tuple[NDArray[np.generic], NDArray[np.float64]]


def check_geometry(subject: Subject, volumes: Mapping[str, Volume]) -> Iterator[Fault]:
    """Faults of `volumes` (name -> voxels and affine): all must have the shape and affine of the first."""
    first = next(iter(volumes))
    voxels, affine = volumes[first]
    for name, (other, other_affine) in volumes.items():
        if other.ndim != 3:
            yield Fault(subject.id, f"{name} has {other.ndim} axes {other.shape}; expected 3")
        elif other.shape != voxels.shape:
            yield Fault(subject.id, f"{name} has the shape {other.shape}, {first} has {voxels.shape}")
        if not np.allclose(other_affine, affine, atol=AFFINE_TOLERANCE):
            apart = float(np.abs(other_affine - affine).max())
            yield Fault(subject.id, f"the affine of {name} differs from that of {first} by up to {apart:.3g}")


def check_image(subject: Subject, name: str, voxels: NDArray[np.generic]) -> Iterator[Fault]:
    """Faults of one modality: values that are not numbers."""
    if np.issubdtype(voxels.dtype, np.inexact) and (bad := int(np.count_nonzero(~np.isfinite(voxels)))):
        yield Fault(subject.id, f"{name} has {bad} voxels that are NaN or infinite", subject.images[name].path)


def check_labels(subject: Subject, voxels: NDArray[np.generic], known: frozenset[int]) -> Iterator[Fault]:
    """Faults of a mask: labels that its layout does not know, or none at all."""
    values = np.flatnonzero(np.bincount(voxels.ravel(order="K"))) if voxels.dtype == np.uint8 else np.unique(voxels)
    unknown = [f"{value:g}" for value in values.tolist() if value != 0 and value not in known]
    if unknown:
        expected = ", ".join(map(str, sorted(known)))
        yield Fault(subject.id, f"the mask has labels {', '.join(unknown)}; expected 0, {expected}", subject.mask)
    elif not any(values.tolist()):
        yield Fault(subject.id, "the mask is empty: no voxel is tumour", subject.mask)
