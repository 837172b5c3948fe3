"""What a layout is, and how files are found in one."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gliobench.cohort.subject import HGG, LGG, MODALITIES, CohortError, Fault, ImageFile, Subject

Found = tuple[list[Subject], list[Fault]]
SUFFIXES = (".nii.gz", ".nii")
NOTHING = ("", "NAN", "NONE", "NA", "N/A", "NULL", "<NA>")  # how tables write that a grade or a file is not known


@dataclass(frozen=True)
class Layout:
    """How a data set lies on disk.

    `recognises` says whether a folder (or table) is of this layout; `find` gives its subjects and, for those that
    cannot be used, the reason. `labels` are the non-zero values its masks may hold. `expects` says it in words.
    """

    name: str
    expects: str
    labels: frozenset[int]
    recognises: Callable[[Path], bool]
    find: Callable[[Path], Found]


def existing(stem: Path) -> Path | None:
    """`stem` with the first of `.nii.gz` and `.nii` that is there."""
    return next((path for suffix in SUFFIXES if (path := stem.with_name(stem.name + suffix)).is_file()), None)


def subfolders(root: Path) -> list[Path]:
    """Folders in `root`, sorted by name, hidden ones left out."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def folder_subject(folder: Path, grade: int | None, endings: Mapping[str, str], mask_ending: str) -> Subject | Fault:
    """A subject whose files are `<folder>/<folder name><ending>`, or the fault that modalities are missing."""
    found = {modality: existing(folder / (folder.name + endings[modality])) for modality in MODALITIES}
    return subject_of(folder.name, grade, found, existing(folder / (folder.name + mask_ending)), folder)


def subject_of(
    id: str, grade: int | None, found: Mapping[str, Path | None], mask: Path | None, where: Path
) -> Subject | Fault:
    """A subject with all modalities, or the fault that some are missing or one file is given for two."""
    missing = [modality for modality in MODALITIES if found.get(modality) is None]
    if missing:
        return Fault(id, f"no file for {', '.join(missing)}; all of {', '.join(MODALITIES)} are needed", where)
    first: dict[Path | None, str] = {}
    for modality in MODALITIES:
        if (other := first.setdefault(found[modality], modality)) != modality:
            return Fault(id, f"one file for {other} and for {modality}; each needs its own", found[modality])
    images = {modality: ImageFile(path) for modality, path in found.items() if path is not None}
    return Subject(id, grade, images, mask)


def sort_out(results: Iterable[Subject | Fault]) -> Found:
    """Subjects and faults apart."""
    results = list(results)
    subjects = [result for result in results if isinstance(result, Subject)]
    return subjects, [result for result in results if isinstance(result, Fault)]


def read_csv(table: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows below them, as long as the names are. Raises CohortError."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            names, *rows = list(csv.reader(file)) or [[]]
    except UnicodeDecodeError as error:
        raise CohortError(f"{table}: not UTF-8; save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise CohortError(f"{table}: cannot be read: {error}") from error
    return names, [[*row, *[""] * len(names)][: len(names)] for row in rows]


def parse_grade(text: object) -> int | None:
    """LGG/HGG/0/1 in any case, empty or NaN for unknown; raises ValueError for anything else."""
    word = "" if text is None else str(text).strip().upper().removesuffix(".0")
    if word in NOTHING:
        return None
    grades = {"LGG": LGG, "0": LGG, "HGG": HGG, "1": HGG}
    if word not in grades:
        raise ValueError(f"grade {text!r}: expected LGG, HGG, 0, 1 or nothing")
    return grades[word]
