"""What a layout is, and how its files are found as unpacked: upper or lower case, with any suffix of a volume, a
folder in place of a file, a folder of DICOM slices."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from gliobench.cohort.align import same_place
from gliobench.cohort.formats.dicom_files import holds_dicom
from gliobench.cohort.formats.stored import VolumeError
from gliobench.cohort.formats.volume_file import SUFFIXES, decode_stored, read_stored
from gliobench.cohort.grades import NOTHING
from gliobench.cohort.label_schemes import SCHEMES, scheme_of
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, ImageFile, Subject, named
from gliobench.errors import printable

NOT_PATIENTS = "__macosx"  # the folder that macOS adds to an archive
DELIMITERS = ",;\t"


class Found(NamedTuple):
    """The patients of a folder, the invalid ones with their faults, and notes on what else was found."""

    subjects: list[Subject]
    faults: list[Fault]
    notes: tuple[str, ...] = ()


class Files(NamedTuple):
    """A patient's files: those of each image by its name, and those of the mask. Of several all must be equal."""

    images: Mapping[str, Sequence[Path]]
    masks: Sequence[Path]


Volumes = Mapping[str, Sequence[Path]]  # files, or folders of DICOM slices, by their names in lower case without suffix


@dataclass(frozen=True)
class Layout:
    """How a data set is stored on disk.

    `recognises` says whether a folder (or table) holds a problem's images in this layout; `find` gives its subjects
    and, for invalid ones, the fault. `labels` are the non-zero values its masks may hold; without any, those of the
    problem. `expects` describes it in words.
    """

    name: str
    expects: str
    labels: frozenset[int]
    recognises: Callable[[Path, Problem], bool]
    find: Callable[[Path, Problem], Found]


def subfolders(root: Path) -> list[Path]:
    """Folders in `root` that may be patients, sorted by name: no hidden ones and none of macOS's own."""
    folders = (path for path in root.iterdir() if not path.name.startswith(".") and path.is_dir())
    return sorted(path for path in folders if path.name.lower() != NOT_PATIENTS)


def patient_folders(root: Path, listed: Iterable[str] = ()) -> tuple[list[Path], tuple[str, ...]]:
    """The folders in `root` that hold a volume, or are `listed` as patients elsewhere; and a note on the others."""
    folders, names = subfolders(root), set(listed)
    patients = [folder for folder in folders if folder.name in names or _holds_volumes(folder)]
    others = [folder.name for folder in folders if folder not in patients]
    noted = f"not read as patients, as they hold no image: {printable(', '.join(others[:5]))}"
    return patients, (f"{noted}{' and others' if len(others) > 5 else ''}",) if others else ()


def named_folders(root: Path, form: re.Pattern[str]) -> tuple[list[Path], tuple[str, ...]]:
    """The folders in `root` whose whole name has the form of a patient's id; and a note on the others. Neither of a
    file."""
    folders = subfolders(root) if root.is_dir() else []
    patients = [folder for folder in folders if form.fullmatch(folder.name)]
    others = [folder.name for folder in folders if not form.fullmatch(folder.name)]
    noted = f"not read as patients, by their names: {printable(', '.join(others[:5]))}"
    return patients, (f"{noted}{' and others' if len(others) > 5 else ''}",) if others else ()


def any_holds(folders: Iterable[Path], files: Callable[[Path], Files], problem: Problem) -> bool:
    """Whether one of the folders has an image of the problem."""
    return any(_holds_image(folder, files, problem) for folder in folders)


def _holds_image(folder: Path, files: Callable[[Path], Files], problem: Problem) -> bool:
    try:
        images = files(folder).images
    except OSError:
        return False
    return any(images.get(name) for name in problem.names)


def _holds_volumes(folder: Path) -> bool:
    try:
        return bool(volumes_in(folder))
    except OSError:
        return True  # an unreadable folder is a fault, not an absent patient


def volumes_in(folder: Path) -> Volumes:
    """The volumes of a folder; where a folder is named like one, its content. Raises OSError."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if (stem := _stem(path)) is not None:
            inside = sorted(one for one in path.iterdir() if _stem(one) and one.is_file()) if path.is_dir() else [path]
            files = [one for one in inside if one.is_file()]
        else:
            stem, files = path.name.lower(), [path] if not path.name.startswith(".") and holds_dicom(path) else []
        if files:
            found.setdefault(stem, []).extend(files)
    return found


def _stem(path: Path) -> str | None:
    """A volume's name in lower case without its suffix; None for any other and for hidden files."""
    name = path.name.lower()
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    return None if suffix is None or name.startswith(".") else name.removesuffix(suffix)


def folder_subject(
    folder: Path, grade: int | None, endings: Mapping[str, str], mask_ending: str, problem: Problem
) -> Subject | Fault:
    """A subject whose files are `<folder>/<folder name><ending>`, or the fault that images are missing."""

    def files(folder: Path) -> Files:
        volumes = volumes_in(folder)
        images = named_after(folder.name, endings, volumes)
        return Files(images, volumes.get((folder.name + mask_ending).lower(), ()))

    scheme = scheme_of(folder.name)
    return found_subject(folder.name, grade, folder, files, SCHEMES[scheme] if scheme else {}, problem)


def named_after(stem: str, endings: Mapping[str, str], volumes: Volumes) -> dict[str, Sequence[Path]]:
    """The volumes called `<stem><ending>`, in upper or lower case, by the name of the image."""
    return {image: volumes.get((stem + ending).lower(), ()) for image, ending in endings.items()}


def found_subject(
    id: str,
    grade: int | None,
    folder: Path,
    files: Callable[[Path], Files],
    relabel: Mapping[int, int],
    problem: Problem,
) -> Subject | Fault:
    """A subject of those of a folder's `files` that the problem names, or the fault: the folder cannot be read, images
    are missing, or there are two for one and they differ."""
    try:
        images, masks = files(folder)
        found = {name: _only(images.get(name, ()), name) for name in problem.names}
        mask = _only(masks, "the mask")
    except OSError as error:
        return Fault(id, f"cannot be read: {error.strerror}", folder)
    except _Ambiguous as error:
        return Fault(id, str(error), folder)
    return subject_of(id, grade, found, mask, folder, relabel, problem)


class _Ambiguous(ValueError):
    """Several files for one image, with different voxels."""


def _only(paths: Sequence[Path], what: str) -> Path | None:
    """The one file of these, or the first where all hold the same volume; None of none. Raises _Ambiguous."""
    if len(paths) > 1 and not _same_volumes(paths):
        names = " and ".join(path.name for path in paths)
        raise _Ambiguous(f"{names} both exist for {what} and differ: remove one")
    return min(paths, key=lambda path: not path.name.lower().endswith(".gz"), default=None)


def _same_volumes(paths: Sequence[Path]) -> bool:
    try:
        first, *others = (decode_stored(read_stored(path)) for path in paths)
    except VolumeError:
        return False
    return all(same_place(first, other) and np.array_equal(first[0], other[0]) for other in others)


def subject_of(
    id: str,
    grade: int | None,
    found: Mapping[str, Path | None],
    mask: Path | None,
    where: Path,
    relabel: Mapping[int, int],
    problem: Problem,
) -> Subject | Fault:
    """A subject with the images of `found`, in its order, or the fault: some are missing and the problem does not fill
    them, one file is given for two, or the id is invalid."""
    if wrong := wrong_id(id):
        return Fault(printable(id), wrong, where)
    missing = [name for name, path in found.items() if path is None]
    if missing and (problem.missing == "refused" or len(missing) == len(found)):
        return Fault(id, f"no file for {', '.join(missing)}; all of {', '.join(found)} are needed", where)
    first: dict[Path | None, str] = {}
    for name, path in found.items():
        if path is not None and (other := first.setdefault(path, name)) != name:
            return Fault(id, f"one file for {other} and for {name}; each needs its own", path)
    images = {name: ImageFile(path) for name, path in found.items() if path is not None}
    return Subject(id, grade, images, mask, relabel, lacking=tuple(missing))


def wrong_id(id: str) -> str | None:
    """Why a patient's id is invalid; None where it is valid."""
    if id.startswith(".") or not id.isprintable() or set(id) & set("/\\"):
        return f"the id {id!r} is not a valid file name, and masks are stored under it"
    return None


def named_patient(said: str) -> str:
    """The patient that a table or description names; "" where it names none."""
    name = said.strip()
    return "" if name.upper() in NOTHING else name


def wrong_patient(said: str) -> str | None:
    """Why a patient's name is invalid; None where it is valid."""
    return None if said.isprintable() else f"the patient {said!r} has characters that cannot be printed"


def sort_out(results: Iterable[Subject | Fault], notes: tuple[str, ...] = ()) -> Found:
    """Separate subjects from faults."""
    results = list(results)
    subjects = [result for result in results if isinstance(result, Subject)]
    return Found(subjects, [result for result in results if isinstance(result, Fault)], notes)


def automated_masks(ids: Sequence[str]) -> tuple[str, ...]:
    """The note that these patients' masks are a program's."""
    why = "the mask was made by a program and not corrected by an expert: scores say how well models agree with it"
    return (f"warning: {named(ids)}: {why}",) if ids else ()


def without_mask(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Notes on patients without a mask, and on files beside their images that may be one."""
    lacking = [subject for subject in subjects if subject.mask is None]
    if not lacking:
        return ()
    if len(lacking) == len(subjects):
        return ("no patient has a mask: centre, box, polygon and mask cannot be asked about",)
    beside = sorted({name for subject in lacking for name in _unused(subject)})
    hint = f"; beside their images is {', '.join(beside[:3])}: if that is a mask, rename it" if beside else ""
    who = named([subject.id for subject in lacking])
    return (f"{who} without a mask: not asked about centre, box, polygon and mask{hint}",)


def _unused(subject: Subject) -> list[str]:
    used = {image.path for image in subject.images.values()}
    folder = next(iter(subject.images.values())).path.parent
    if any(path.parent != folder for path in used):
        return []
    return [path.name for paths in volumes_in(folder).values() for path in paths if path not in used]


def csv_names(table: Path) -> list[str]:
    """The names of a table's columns, whatever its encoding. Raises CohortError."""
    try:
        with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            return [name.strip() for name in next(_reader(file), [])]
    except (OSError, csv.Error) as error:
        raise CohortError(f"{table}: cannot be read: {error}") from error


def _reader(file: TextIO) -> Iterator[list[str]]:
    """A CSV reader with the delimiter (comma, semicolon or tab) that is the most frequent in the first line."""
    first = file.readline()
    file.seek(0)
    return csv.reader(file, delimiter=max(DELIMITERS, key=first.count))


def read_csv(table: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows at the same length. Raises CohortError."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            names, *rows = list(_reader(file)) or [[]]
    except UnicodeDecodeError as error:
        raise CohortError(f"{table}: not UTF-8; save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise CohortError(f"{table}: cannot be read: {error}") from error
    names = [name.strip() for name in names]
    return names, [[*row, *[""] * len(names)][: len(names)] for row in rows]
