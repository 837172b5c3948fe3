"""How phantoms of any kind get into a folder."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from gliobench.cohort.subject import CohortError

Patient = TypeVar("Patient")
Progress = Callable[[int, int], None]


def check_replaceable(out: Path, table: str, listed: Iterable[str], phantoms: set[str]) -> None:
    """Raise CohortError where the folder, or its table with the ids `listed`, holds anything but some of these
    `phantoms`."""
    if not out.exists():
        return
    if not out.is_dir():
        raise CohortError(f"{out}: not a folder: name an empty one")
    lying = {path.name for path in out.iterdir() if not path.name.startswith(".")}  # a file manager leaves its own
    others = sorted((lying | set(listed)) - phantoms - {table})
    if others:
        raise CohortError(
            f"{out}: holds {', '.join(others[:3])}{', …' if len(others) > 3 else ''}, which is not among the "
            f"{len(phantoms)} phantoms to be written: use an empty folder"
        )


def write_all(
    write: Callable[[Patient], Any], patients: Sequence[Patient], progress: Progress | None, workers: int
) -> None:
    """Write every patient, several at a time."""
    with ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(write, patients), start=1):
            if progress:
                progress(done, len(patients))


def write_volume(
    path: Path, volume: NDArray[np.int16] | NDArray[np.uint8], affine: NDArray[np.float64] | NDArray[np.int64]
) -> None:
    """A volume as gzipped NIfTI: the same bytes for the same voxels, whenever and wherever it is written."""
    path.write_bytes(igzip.compress(nib.Nifti1Image(volume, affine).to_bytes(), 1, mtime=0))
