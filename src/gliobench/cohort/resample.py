"""Images and masks of one patient on different grids: resampled onto the first, where their affines say how.

Rules, in the order they are checked:

- Both affines must span three directions, and none may be the default of a writer that knew no position (axes along the
  world's, origin at 0) where the other has one.
- The same affine with another shape is a damaged file, unless it is a mask that covers less than the image.
- `OVERLAP` of the first image's voxels must lie in an image's field of view, which ends at the faces of its outer
  voxels; `OVERLAP` of a mask's labelled voxels must lie in the first image's. What lies outside is 0.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from gliobench.cohort.align import Volume, is_sound, same_affine, same_place

OVERLAP = 0.9
MASK = "mask"
ROUNDING = 1e-6  # of a voxel, in products of affines
SHIFTED = 1e-3  # of a voxel; less is a header's rounding


def resampled_onto_first(volumes: Mapping[str, Volume]) -> tuple[dict[str, Volume], tuple[str, ...]]:
    """The volumes (name -> voxels, affine) on the grid of the first, where the rules allow it; and notes of it.

    Images are interpolated linearly, to float32; a mask takes the label of the nearest voxel.
    """
    first = next(iter(volumes))
    reference, found, notes = volumes[first], dict(volumes), list[str]()
    for name, volume in volumes.items():
        if same_place(volume, reference) or resampling_fault(name, volume, reference):
            continue
        notes.append(
            f"{name} was resampled onto the grid of {first} ({_how(name, volume, reference)}), as their affines say"
        )
        voxels, is_outside = _resampled(volume, reference, _is_mask(name))
        if not _is_mask(name) and is_outside:
            notes.append(f"part of {first} lies outside {name}, which is 0 there")
        if _is_mask(name) and _labelled_inside(volume, reference) < 1:
            notes.append(f"part of the {name}'s labels lies outside {first} and was cut off")
        if _is_mask(name) and set(np.unique(volume[0])) > set(np.unique(voxels)):
            notes.append(f"some label of the {name} has no voxel left on the grid of {first}")
        found[name] = (voxels, reference[1])
    return found, tuple(notes)


def _is_mask(name: str) -> bool:
    """Whether a volume holds labels: the mask, or a reader's."""
    return name.startswith(MASK)


def _how(name: str, volume: Volume, reference: Volume) -> str:
    shift = _index_map(volume, reference) - np.eye(4)
    if np.abs(shift[:3, :3]).max() < ROUNDING and np.abs(shift - np.rint(shift)).max() < SHIFTED:
        return "voxel for voxel"
    return "nearest label" if _is_mask(name) else "linear interpolation"


def resampling_fault(name: str, volume: Volume, reference: Volume) -> str | None:
    """Why a volume cannot be resampled onto another; None where it can."""
    (voxels, affine), (onto, onto_affine) = volume, reference
    if voxels.ndim != 3 or onto.ndim != 3:
        return "it has not 3 axes"
    if not is_sound(affine) or not is_sound(onto_affine):
        return "an affine does not span three directions"
    if same_affine(affine, onto_affine):
        smaller = all(size <= whole for size, whole in zip(voxels.shape, onto.shape, strict=True))
        return None if _is_mask(name) and smaller else "the affine is the same, so slices are missing or axes exchanged"
    if _is_default(affine) != _is_default(onto_affine):
        return "an affine has its origin at 0 and no rotation, as of a file saved without position"
    proportion = _labelled_inside(volume, reference) if _is_mask(name) else _covered(volume, reference)
    if proportion >= OVERLAP:
        return None
    of = "its labelled voxels lie in the image" if _is_mask(name) else "the first image lies in its field of view"
    return f"only {proportion:.0%} of {of} (at least {OVERLAP:.0%} are needed)"


def _is_default(affine: NDArray[np.float64]) -> bool:
    """Whether an affine says nothing but the size of voxels."""
    linear = affine[:3, :3]
    return not affine[:3, 3].any() and np.array_equal(linear, np.diag(np.diag(linear)))


def _covered(volume: Volume, reference: Volume) -> float:
    """The proportion of the reference's voxels that lie in the volume's field of view."""
    return float(_inside(volume, reference).mean())


def _labelled_inside(mask: Volume, reference: Volume) -> float:
    """The proportion of a mask's labelled voxels that lie in the reference's field of view; 1 of an empty mask."""
    labelled = mask[0] != 0
    return float(_inside(reference, mask)[labelled].mean()) if labelled.any() else 1.0


def _inside(volume: Volume, reference: Volume) -> NDArray[np.bool_]:
    """For each voxel of the reference, whether its centre lies within a voxel of the volume."""
    to_volume = _index_map(volume, reference)
    inside = np.ones(reference[0].shape, dtype=bool)
    steps = np.ogrid[tuple(map(slice, reference[0].shape))]
    for (*along, offset), size in zip(to_volume[:3], volume[0].shape, strict=True):
        index = sum((factor * step for factor, step in zip(along, steps, strict=True)), start=np.asarray(offset))
        inside &= (index >= -0.5 - ROUNDING) & (index <= size - 0.5 + ROUNDING)
    return inside


def _index_map(volume: Volume, reference: Volume) -> NDArray[np.float64]:
    """(4, 4): the reference's voxel index to the volume's."""
    return np.asarray(np.linalg.inv(volume[1]) @ reference[1], dtype=np.float64)


def _resampled(volume: Volume, reference: Volume, is_mask: bool) -> tuple[NDArray[np.generic], bool]:
    """The voxels on the reference's grid, 0 outside the field of view; and whether anything lies outside."""
    outside = ~_inside(volume, reference)
    voxels = affine_transform(
        volume[0] if is_mask else volume[0].astype(np.float32),
        _index_map(volume, reference),
        output_shape=reference[0].shape,
        order=0 if is_mask else 1,
        mode="nearest",  # up to the face of an outer voxel its value counts
    )
    voxels[outside] = 0
    return voxels, bool(outside.any())
