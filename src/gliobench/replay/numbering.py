"""One file per patient: whose it is, and which numbers are missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gliobench.replay.errors import ReplayError
from gliobench.replay.text import subject_name, subject_number


def file_of_each(paths: Sequence[Path], modalities: int = 1) -> dict[int, Path]:
    """Files by patient number, in its order; a file's number counts `modalities` for each patient.

    Raises ReplayError where two files are of one patient.
    """
    found: dict[int, Path] = {}
    for path in paths:
        number = subject_number(path) // modalities
        if number in found:
            raise ReplayError(
                f"{path} and {found[number].name} are both of patient {number}: keep the one that counts, "
                "or give each its own folder"
            )
        found[number] = path
    return dict(sorted(found.items()))


def missing_numbers(numbers: Mapping[int, Path] | Iterable[int]) -> tuple[str, ...]:
    """Patients whose number is missing between 0 and the largest."""
    known = set(numbers)
    return tuple(subject_name(number) for number in range(max(known, default=-1)) if number not in known)
