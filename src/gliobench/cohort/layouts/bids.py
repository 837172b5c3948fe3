"""BIDS: `sub-01[/ses-1]/anat/sub-01[_ses-1]_FLAIR.nii.gz`, `participants.tsv`, masks under `derivatives/`.

A scan is a subject's session; its patient is the subject. An image is the problem's by its suffix, in upper or lower
case and with or without the final w: `_T2w` is t2, and with the entity `ce-`, a contrast agent, `_ce-gadolinium_T1w` is
t1ce. A file with other entities (`acq-`, `run-`, `space-`, …) counts only where there is none without.

Masks (`_dseg`, `_mask`) are looked for beside the images and in `derivatives/*/`: those with a label or description of
the target, else those with neither, in the images' space; never those of programs that segment the brain. The reader is
our own because pybids brings a database, and answers which files there are and not which of them is meant.
Gorgolewski 2016, doi:10.1038/sdata.2016.44; https://bids-specification.readthedocs.io.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gliobench.cohort.classes import ClassError
from gliobench.cohort.label_schemes import COLUMN, SCHEMES
from gliobench.cohort.layouts.clinical import Clinical, Rows, clinical, read_rows, unmatched
from gliobench.cohort.layouts.layout import (
    Files,
    Found,
    Layout,
    found_subject,
    named_folders,
    sort_out,
    subfolders,
    volumes_in,
)
from gliobench.cohort.layouts.table import CLASS_COLUMNS
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import Fault, Subject, named

TABLE = "participants.tsv"
DIAGNOSIS = "diagnosis"  # a class only where every cell is one: it is often free text
MASKS = ("dseg", "mask")
BRAIN = ("fmriprep", "smriprep", "freesurfer", "fastsurfer", "qsiprep", "mriqc")  # segment brains, not lesions
TARGETS = ("lesion", "tumor", "tumour")
NATIVE = ("", "orig", "individual", "native")  # spaces in which a mask lies on the images
OF_NAME = {"sub", "ses", "ce"}  # entities that do not make a file another version of an image
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+", re.IGNORECASE)
_SESSION = re.compile(r"ses-[A-Za-z0-9]+", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """A file by its name: entities by key and the suffix, all in lower case."""

    entities: Mapping[str, str]
    suffix: str
    path: Path

    @property
    def image(self) -> str:
        """The image that it is, as `image_key` has it."""
        return image_key(self.suffix, "ce" in self.entities)

    def has(self, key: str) -> str:
        return self.entities.get(key, "")


def image_key(name: str, contrast: bool = False) -> str:
    """A suffix or an image's name such that both are equal where they mean the same: T1w and t1, T1w after a contrast
    agent and t1c, t1gd or t1ce."""
    plain = re.sub(r"^(t1)(c|gd)$", r"\1ce", name.lower().removesuffix("w"))
    return f"{plain}ce" if contrast and not plain.endswith("ce") else plain


def _recognises(root: Path, problem: Problem) -> bool:
    wanted = {image_key(name) for name in problem.names}
    return any(_shows(folder, wanted) for _, folder in _scans(root))


def _shows(folder: Path, wanted: set[str]) -> bool:
    try:
        return any(one.image in wanted for one in _named(folder))
    except OSError:
        return False


def _scans(root: Path) -> Iterator[tuple[str, Path]]:
    """Each subject with its folder, or with those of its sessions where it has any."""
    for subject in named_folders(root, _SUBJECT)[0]:
        try:
            sessions, _ = named_folders(subject, _SESSION)
        except OSError:
            sessions = []  # reading the scan says why
        yield from ((subject.name, folder) for folder in sessions or [subject])


def _named(folder: Path, *, itself: bool = False) -> list[Named]:
    """The volumes in the folders of a scan (`anat/` and so on), and in `itself`. Raises OSError."""
    folders = [one for one in subfolders(folder) if not _SESSION.fullmatch(one.name)]
    found = (volumes_in(one) for one in (*folders, *([folder] if itself else [])))
    return [_parsed(stem, path) for volumes in found for stem, paths in volumes.items() for path in paths]


def _parsed(stem: str, path: Path) -> Named:
    *entities, suffix = stem.split("_")
    return Named(dict(one.split("-", 1) for one in entities if "-" in one), suffix, path)


def _find(root: Path, problem: Problem) -> Found:
    known, notes = _participants(root, problem)
    subjects, empty = list[Subject | Fault](), list[str]()
    for patient, folder in _scans(root):
        id = patient if folder.name == patient else f"{patient}_{folder.name}"
        if _is_empty(folder, problem):
            empty.append(id)
        else:
            subjects.append(known.describe(_subject(root, id, patient, folder, known.rows.get(patient, {}), problem)))
    none = (f"not read, as they hold none of the images: {named(empty)}",) if empty else ()
    found = sort_out(subjects, (*notes, *none))
    return found._replace(notes=(*found.notes, *_sources(root, found.subjects)))


def _is_empty(folder: Path, problem: Problem) -> bool:
    try:
        return not any(_images(_named(folder), problem).values())
    except OSError:
        return False  # an unreadable folder is a fault, not an absent patient


def _subject(
    root: Path, id: str, patient: str, folder: Path, row: Mapping[str, str], problem: Problem
) -> Subject | Fault:
    def files(folder: Path) -> Files:
        images = _images(_named(folder), problem)
        masks = _masks(_mask_files(root, folder), list(images.values()), problem)
        return Files({name: [one.path for one in own] for name, own in images.items()}, [one.path for one in masks])

    scheme = row.get(COLUMN, "").lower()
    if scheme and scheme not in SCHEMES:
        return Fault(id, f"{COLUMN} {scheme!r}: expected {', '.join(SCHEMES)} or nothing", root / TABLE)
    subject = found_subject(id, None, folder, files, SCHEMES[scheme] if scheme else {}, problem)
    return subject if isinstance(subject, Fault) else replace(subject, patient=patient)


def _images(files: Sequence[Named], problem: Problem) -> dict[str, list[Named]]:
    """The files of each image: those without further entities, else all."""
    found = {name: [one for one in files if one.image == image_key(name)] for name in problem.names}
    return {name: [one for one in own if set(one.entities) <= OF_NAME] or own for name, own in found.items()}


def _mask_files(root: Path, folder: Path) -> list[Named]:
    """The files beside a scan's images and in its folders under `derivatives/`. Raises OSError."""
    derived = subfolders(root / "derivatives") if (root / "derivatives").is_dir() else []
    inside = [one / folder.relative_to(root) for one in derived if not one.name.lower().startswith(BRAIN)]
    return [*_named(folder), *(file for one in inside if one.is_dir() for file in _named(one, itself=True))]


def _masks(files: Iterable[Named], images: Sequence[Sequence[Named]], problem: Problem) -> list[Named]:
    """The masks of the target on the images' grid."""
    shown = [one for own in images for one in own]
    spaces = {one.has("space") for one in shown}
    if "" in spaces:
        spaces |= {*NATIVE, *(one.image for one in shown)}
    masks = [one for one in files if one.suffix in MASKS and {one.has("space"), image_key(one.has("space"))} & spaces]
    words = (*TARGETS, problem.target.lower())
    meant = [one for one in masks if any(word in one.has("label") + one.has("desc") for word in words)]
    plain = [one for one in masks if not any(map(one.has, ("label", "desc", "seg", "atlas")))]
    return meant or plain


def _sources(root: Path, subjects: Iterable[Subject]) -> Iterator[str]:
    """A note on where the masks under `derivatives/` are from."""
    masks = (one.mask.relative_to(root).parts for one in subjects if one.mask)
    if folders := sorted({parts[1] for parts in masks if parts[0] == "derivatives"}):
        yield f"masks are from derivatives: {', '.join(folders)}"


def _participants(root: Path, problem: Problem) -> tuple[Clinical, tuple[str, ...]]:
    """What `participants.tsv` says, and notes on it."""
    if not (root / TABLE).is_file():
        return clinical(TABLE, {}, (), problem), ()
    rows = read_rows(root / TABLE, "participant_id", lambda id: f"sub-{id.removeprefix('sub-')}" if id else "")
    known, unread = _classes(rows, problem)
    lost = "the grade is" if known.column else "what it tells of them is"
    ids = [folder.name for folder in named_folders(root, _SUBJECT)[0]]
    return known, (*known.rules, *unread, *unmatched(root / TABLE, rows, ids, lost))


def _classes(rows: Rows, problem: Problem) -> tuple[Clinical, tuple[str, ...]]:
    """The rows with their classes; and a note on a diagnosis that has other words."""
    columns = (problem.asked, *CLASS_COLUMNS)
    known = clinical(TABLE, rows, (*columns, DIAGNOSIS), problem)
    wrong = [str(one) for one in known.classes.values() if isinstance(one, ClassError)]
    if wrong and known.column.lower() == DIAGNOSIS and problem.asked.lower() != DIAGNOSIS:
        note = f"{TABLE}: {DIAGNOSIS} is not read as the {problem.asked}, by its first value that is none: {wrong[0]}"
        return clinical(TABLE, rows, columns, problem), (note,)
    return known, ()


BIDS = Layout(
    "BIDS",
    "folders sub-01[/ses-1]/anat/ with sub-01[_ses-1]_<suffix>.nii.gz, participants.tsv, masks under derivatives/",
    frozenset(),
    _recognises,
    _find,
)
