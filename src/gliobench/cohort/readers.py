"""The masks of several readers: a bit for each in every voxel, and what they agree on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.align import Volume
from gliobench.cohort.check import labels_in, whole_numbers
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


def majority(coded: Bits, without: int | None = None) -> Bits:
    """What at least half of the readers marked, of those who marked anything; 0 or 1, the same shape. `without`: of the
    others than this one."""
    readers = [reader for reader in readers_in(coded) if reader != without]
    votes = np.sum([marked_by(coded, reader) for reader in readers], axis=0, dtype=np.uint8) if readers else 0
    return np.asarray((2 * votes >= len(readers)) & bool(readers)).astype(np.uint8) * np.ones_like(coded)
