"""One person's images under two ids, found by the voxels, whatever the files' compression, data type, name or
orientation."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from gliobench.cohort.subject import Fault, Findings

SAMPLED = 10_000  # voxels of a volume, evenly spread: no two people agree in all of them
SAME_AXES = np.array([[0, 1], [1, 1], [2, 1]])

Sharing = dict[str, set[str]]  # a patient's modality -> the modalities of another's that have the same voxels


def voxel_digests(images: Mapping[str, NDArray[np.generic]], affine: NDArray[np.float64]) -> dict[str, tuple[str, ...]]:
    """Digests of each volume (X, Y, Z) by name: in the file's orientation and, where that differs, in world orientation
    by their common affine. None for a constant volume.

    They depend on an even sample of the voxels as float32, minus their minimum: the same voxels with another header,
    data type, byte order or offset have the same digest, and so do two orientations where the affines describe them.
    """
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    turned = not np.array_equal(turn, SAME_AXES)
    both = {name: [image, apply_orientation(image, turn)] if turned else [image] for name, image in images.items()}
    return {name: tuple(filter(None, map(_digest, volumes))) for name, volumes in both.items()}


def _digest(volume: NDArray[np.generic]) -> str:
    step = max(1, int((volume.size / SAMPLED) ** (1 / 3)))
    sample = volume[::step, ::step, ::step].astype(np.float32)
    sample -= sample.min()
    return hashlib.sha256(sample.tobytes(order="F")).hexdigest()[:32] if sample.any() else ""


def twin_faults(findings: Mapping[str, Findings]) -> tuple[Fault, ...]:
    """Faults of patients (by id) who share an image with another: all of them, as it is unknown whose it is, and a
    person under two ids would be in training and in test (leakage)."""
    owners: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # digest -> id -> modalities
    for id, found in findings.items():
        for modality, digests in found.voxels.items():
            for digest in digests:
                owners[digest][id].add(modality)
    shared: dict[tuple[str, str], Sharing] = defaultdict(lambda: defaultdict(set))
    for by_id in owners.values():
        first, *others = by_id
        for other in others:
            for id, twin in ((first, other), (other, first)):
                for modality in by_id[id]:
                    shared[id, twin][modality] |= by_id[twin]
    named: dict[str, Fault] = {}
    for (id, twin), sharing in sorted(shared.items()):
        named.setdefault(id, Fault(id, f"the same {_said(sharing, len(findings[id].voxels))} as {twin}"))
    return tuple(named.values())


def _said(sharing: Sharing, of: int) -> str:
    """Such as "images", "flair and t2", or "t1 (there flair)"."""
    if len(sharing) == of and all(modality in there for modality, there in sharing.items()):
        return "images"
    names = (
        modality if modality in there else f"{modality} (there {min(there)})"
        for modality, there in sorted(sharing.items())
    )
    return " and ".join(names)
