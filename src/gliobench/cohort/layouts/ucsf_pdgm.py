"""UCSF-PDGM: `UCSF-PDGM-0004_nifti/UCSF-PDGM-0004_FLAIR.nii.gz`, with the WHO grade in `UCSF-PDGM-metadata_v5.csv`.

The table writes most ids with three digits (UCSF-PDGM-004), the folders with four; follow-ups have `_FU003d` in both.
Many more images lie beside, of which those that the problem names are read. Calabrese 2022,
doi:10.1148/ryai.220058; doi:10.7937/tcia.bdgf-8v37.
"""

import re
from pathlib import Path

from gliobench.cohort.layouts.brats2018 import has_endings
from gliobench.cohort.layouts.clinical import clinical, last_table, read_rows, unmatched
from gliobench.cohort.layouts.layout import (
    Files,
    Found,
    Layout,
    any_holds,
    found_subject,
    named_after,
    named_folders,
    sort_out,
    volumes_in,
)
from gliobench.cohort.problem import Problem

ENDINGS = {"flair": "_FLAIR", "t1": "_T1", "t1ce": "_T1c", "t2": "_T2"}
ENDINGS |= {"adc": "_ADC", "asl": "_ASL", "dwi": "_DWI", "swi": "_SWI"}
MASK_ENDING = "_tumor_segmentation"
TABLES = "UCSF-PDGM-metadata*.csv"  # beside the folder of the patients, or in it
GRADE = "WHO CNS Grade"
_FOLDER = re.compile(r"UCSF-PDGM-\d+(_FU\d+d)?(_nifti)?", re.IGNORECASE)
_ID = re.compile(r"UCSF-PDGM-(\d+)(.*)", re.IGNORECASE)


def _recognises(root: Path, problem: Problem) -> bool:
    return has_endings(ENDINGS, problem) and any_holds(named_folders(root, _FOLDER)[0], _files, problem)


def _find(root: Path, problem: Problem) -> Found:
    folders, notes = named_folders(root, _FOLDER)
    subjects = [found_subject(_id(folder.name), None, folder, _files, {}, problem) for folder in folders]
    table = last_table((root, root.parent), TABLES)
    if table is None:
        return sort_out(subjects, (*notes, f"no {TABLES} in {root} or the folder above: it has the grades"))
    wanted = (GRADE,) if problem.reading == "glioma" else (problem.asked,)
    known = clinical(table.name, read_rows(table, "ID", _id), wanted, problem)
    ids = [_id(folder.name) for folder in folders]
    return sort_out(map(known.describe, subjects), (*notes, *known.rules, *unmatched(table, known.rows, ids)))


def _id(written: str) -> str:
    """The id of a patient or follow-up, with four digits, of a folder's name or a table's cell."""
    match = _ID.fullmatch(re.sub("_nifti$", "", written, flags=re.IGNORECASE))
    return f"UCSF-PDGM-{int(match[1]):04d}{match[2]}" if match else written


def _files(folder: Path) -> Files:
    id, volumes = _id(folder.name), volumes_in(folder)
    return Files(named_after(id, ENDINGS, volumes), volumes.get((id + MASK_ENDING).lower(), ()))


UCSF_PDGM = Layout(
    "UCSF-PDGM",
    f"folders UCSF-PDGM-0004_nifti/ and so on, and {TABLES} with the column {GRADE}",
    frozenset({1, 2, 4}),
    _recognises,
    _find,
)
