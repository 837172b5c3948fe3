"""Which of several kinds of files are masks: by their names, or by their voxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gliobench.cohort.check import labels_in, whole_numbers
from gliobench.cohort.draft.draft import words_of
from gliobench.cohort.formats.stored import VolumeError
from gliobench.cohort.formats.volume_file import decode_stored, read_stored
from gliobench.cohort.subject import CohortError

MASKS = ("mask", "seg", "segm", "segmentation", "label", "labels", "labelmap", "annotation", "roi")
NO_TARGETS = frozenset({"brain", "body", "lung", "lungs", "head"})  # before "mask": where the patient is
FEW = 32  # different whole numbers, at most, in a mask; more in an image
TRIED = 3  # files of a kind, to see whether they are masks


def masks_among(files: Mapping[str, Sequence[Path]], source: Path) -> tuple[str | None, list[str]]:
    """The kind of files (a column, an end of names) that is the target's mask, None where none is; and the other kinds
    whose voxels are few whole numbers, which are no images. Raises CohortError where several may be the mask."""
    label_maps = [name for name, paths in files.items() if paths and all(map(_is_mask, paths[:TRIED]))]
    mask = mask_named(list(files), source)
    if mask is None and len(label_maps) > 1:
        raise CohortError(f"{source}: {', '.join(label_maps)} all hold few whole numbers: call the right one mask")
    mask = mask or next(iter(label_maps), None)
    return mask, [name for name in label_maps if name != mask]


def mask_named(names: Sequence[str], source: Path) -> str | None:
    """The one of these names that says that it is the target's mask. Raises CohortError where several do."""
    plain = [name for word in MASKS for name in names if words_of(name) == [word]]
    within = [name for name in names if {*words_of(name)} & {*MASKS} and not {*words_of(name)} & NO_TARGETS]
    if not plain and len(within) > 1:
        raise CohortError(
            f"{source}: {', '.join(within)} all look like the mask: call the right one mask, or list the files in a "
            "table with a column mask"
        )
    return next(iter(plain or within), None)


def not_images(label_maps: Sequence[str]) -> list[str]:
    """Notes on masks that are not the target's."""
    return [f"{name}: few whole numbers, as masks have; not used as an image" for name in label_maps]


def _is_mask(path: Path) -> bool:
    """Whether a volume has few values, all whole numbers."""
    try:
        voxels = whole_numbers(decode_stored(read_stored(path))[0])
    except VolumeError:
        return False  # named when all are read
    return bool(np.issubdtype(voxels.dtype, np.integer)) and len(labels_in(voxels)) < FEW
