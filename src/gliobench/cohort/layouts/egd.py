"""Erasmus Glioma Database: `EGD-0001/1_T1/NIFTI/T1.nii.gz`, as XNAT stores it, or `EGD-0001/T1.nii.gz`, as the authors'
downloader does; the folder may be called `MR_EGD-0001`.

The WHO grade, and other clinical data, are in each patient's `metadata.json`, or in the table
`Genetic_and_Histological_labels.csv` (saved from the spreadsheet of that name), where -1 is unknown. The mask marks the
whole tumour and none of its parts. van der Voort 2021, doi:10.1016/j.dib.2021.107191.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gliobench.cohort.label_schemes import SCHEMES
from gliobench.cohort.layouts.brats2018 import has_endings
from gliobench.cohort.layouts.clinical import Rows, clinical, last_table, read_rows, unmatched
from gliobench.cohort.layouts.layout import (
    Files,
    Found,
    Layout,
    any_holds,
    found_subject,
    named_folders,
    sort_out,
    volumes_in,
)
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError

IMAGES = {"flair": "4_FLAIR", "t1": "1_T1", "t1ce": "2_T1GD", "t2": "3_T2"}
MASK = "5_MASK"
DESCRIPTION = "metadata.json"
TOLD = ("Clinical_data", "Genetic_and_Histological_labels", "Scan_characteristics")  # of which it has other columns
TABLES = "*Genetic_and_Histological_labels*"  # beside the folders, one above, or there in METADATA
GRADE = "Grade"
UNKNOWN = ("-1", "-1.0")
_FOLDER = re.compile(r"(MR_)?(EGD-\d+)", re.IGNORECASE)


def _recognises(root: Path, problem: Problem) -> bool:
    return has_endings(IMAGES, problem) and any_holds(named_folders(root, _FOLDER)[0], _files, problem)


def _find(root: Path, problem: Problem) -> Found:
    folders, notes = named_folders(root, _FOLDER)
    relabel, wanted = (SCHEMES["whole-tumour"], GRADE) if problem.reading == "glioma" else ({}, problem.asked)
    subjects = [found_subject(_id(folder.name), None, folder, _files, relabel, problem) for folder in folders]
    listed, unlisted = _listed(root, [_id(folder.name) for folder in folders])
    rows = {_id(folder.name): {**listed.get(_id(folder.name), {}), **_described(folder)} for folder in folders}
    known = clinical(f"{DESCRIPTION} or the table", rows, (wanted,), problem)
    return sort_out(map(known.describe, subjects), (*notes, *unlisted, *known.rules))


def _id(written: str) -> str:
    return re.sub("^MR_", "", written, flags=re.IGNORECASE)


def _files(folder: Path) -> Files:
    found = {name: _volumes(folder, place) for name, place in (*IMAGES.items(), ("mask", MASK))}
    return Files(found, found["mask"])


def _volumes(folder: Path, numbered: str) -> Sequence[Path]:
    """The file of `4_FLAIR`: `4_FLAIR/NIFTI/FLAIR.nii.gz`, or `FLAIR.nii.gz`."""
    name, inside = numbered.split("_")[1].lower(), folder / numbered / "NIFTI"
    return volumes_in(inside if inside.is_dir() else folder).get(name, ())


def _listed(root: Path, ids: Sequence[str]) -> tuple[Rows, tuple[str, ...]]:
    """The rows of the table, where there is one; and notes on it."""
    folders = (root, root.parent, root.parent / "METADATA")
    table = last_table(folders, f"{TABLES}.csv")
    if table is not None:
        rows = read_rows(table, "Subject", _id)
        return _known(rows), tuple(unmatched(table, rows, ids))
    other = last_table(folders, f"{TABLES}.xls*")
    return {}, (f"{other} is not read: save it as CSV",) if other else ()


def _described(folder: Path) -> Mapping[str, str]:
    """What a patient's own `metadata.json` tells; nothing without one. Raises CohortError."""
    path = folder / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = {str(name): str(value) for part in TOLD for name, value in told.get(part, {}).items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise CohortError(f"{path}: expected JSON with {', '.join(TOLD)}: {error}") from error
    return _known({"": cells})[""]


def _known(rows: Rows) -> dict[str, dict[str, str]]:
    """The rows, empty cells where they say that a value is unknown."""
    return {id: {name: "" if cell in UNKNOWN else cell for name, cell in row.items()} for id, row in rows.items()}


EGD = Layout(
    "Erasmus Glioma Database",
    "folders EGD-0001/ and so on with 4_FLAIR/NIFTI/FLAIR.nii.gz or FLAIR.nii.gz",
    frozenset({1}),
    _recognises,
    _find,
)
