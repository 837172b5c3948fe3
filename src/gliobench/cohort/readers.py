"""The masks of several readers: a bit for each in every voxel, and what they agree on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume
from gliobench.cohort.check import labels_in, whole_numbers
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import Fault, Subject

MOST_READERS = 8
Bits = NDArray[np.uint8]


def reader_masks(subject: Subject, volumes: Mapping[str, Volume]) -> tuple[Bits | None, tuple[Fault, ...]]:
    """The bits of all readers' masks, (X, Y, Z) uint8, None where there are none; and what is wrong with them."""
    names = [name for name in subject.files if name not in (*subject.images, "mask")]
    if not names:
        return None, ()
    faults, coded = list[Fault](), np.zeros(volumes[names[0]][0].shape, np.uint8)
    for number, name in enumerate(names):
        mask, path = whole_numbers(volumes[name][0]), subject.files[name].path
        highest = 2**MOST_READERS - 1
        if wrong := [value for value in labels_in(mask) if value != int(value) or not 0 < value <= highest]:
            faults.append(Fault(subject.id, f"{name}: {wrong[0]:g} is no label; expected 0 to {highest}", path))
        elif mask.shape != coded.shape:
            faults.append(Fault(subject.id, f"{name} has the shape {mask.shape}, expected {coded.shape}", path))
        else:
            coded |= mask.astype(np.uint8) if len(names) == 1 else (np.asarray(mask) != 0).astype(np.uint8) << number
    return coded, tuple(faults)


def readers_in(coded: Bits) -> list[int]:
    """The numbers, from 0, of the readers who marked anything."""
    marked = int(np.bitwise_or.reduce(coded, axis=None))
    return [number for number in range(MOST_READERS) if marked >> number & 1]


def marked_by(coded: Bits, reader: int) -> NDArray[np.bool_]:
    """What a reader marked; bool of the same shape."""
    return np.asarray((coded >> reader & 1).astype(bool))


def consensus(coded: Bits, problem: Problem, without: int | None = None) -> Bits:
    """What the readers agree on, of those who marked anything; 0 or 1, the same shape. `without`: the others than this
    one. Raises ModuleNotFoundError where the problem asks for STAPLE and SimpleITK is not installed.

    `majority`: what at least half of them marked. `staple`: where the probability that STAPLE (Warfield 2004,
    doi:10.1109/TMI.2004.828354, in SimpleITK) estimates from the readers' sensitivities and specificities is at least
    one half; with two readers, who cannot be told apart, the majority.
    """
    masks = [marked_by(coded, reader) for reader in readers_in(coded) if reader != without]
    if not masks:
        return np.zeros_like(coded)
    if problem.consensus == "staple" and len(masks) > 2:
        return _staple(masks)
    return np.asarray(2 * np.sum(masks, axis=0, dtype=np.uint8) >= len(masks)).astype(np.uint8)


def _staple(masks: Sequence[NDArray[np.bool_]]) -> Bits:
    import SimpleITK

    images = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
    probability = np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images, 1.0)))
    return (probability >= 0.5).astype(np.uint8)
