"""UPENN-GBM: `images_structural/UPENN-GBM-00001_11/UPENN-GBM-00001_11_FLAIR.nii.gz`, all glioblastomas (WHO 4).

Masks: `images_segm/<id>_segm.nii.gz`, corrected by experts; without one `automated_segm/<id>_automated_approx_segm`.
`_11` is a patient's scan before surgery, `_21` a later one, which has no mask. The clinical table has other columns,
such as IDH1 and MGMT. Bakas 2022, doi:10.1038/s41597-022-01560-7; doi:10.7937/TCIA.709X-DN49.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gliobench.cohort.classes import read_classes
from gliobench.cohort.layouts.brats2018 import has_endings
from gliobench.cohort.layouts.clinical import Clinical, clinical, last_table, read_rows, unmatched
from gliobench.cohort.layouts.layout import (
    Files,
    Found,
    Layout,
    Volumes,
    any_holds,
    automated_masks,
    found_subject,
    named_after,
    named_folders,
    sort_out,
    volumes_in,
)
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import Subject

ENDINGS = {"flair": "_FLAIR", "t1": "_T1", "t1ce": "_T1GD", "t2": "_T2"}
IMAGES = "images_structural"
MASKS = {"images_segm": "_segm", "automated_segm": "_automated_approx_segm"}  # the best first
TABLES = "UPENN-GBM_clinical_info*.csv"  # beside the images, or up to two folders above
_FOLDER = re.compile(r"UPENN-GBM-\d+_\d\d", re.IGNORECASE)


def _recognises(root: Path, problem: Problem) -> bool:
    folders, _ = named_folders(_images(root), _FOLDER)
    return has_endings(ENDINGS, problem) and any_holds(folders, partial(_files, {}), problem)


def _images(root: Path) -> Path:
    """The folder of the scans: `root`, or inside it."""
    return root if root.name == IMAGES else root / IMAGES


def _find(root: Path, problem: Problem) -> Found:
    images = _images(root)
    folders, notes = named_folders(images, _FOLDER)
    masks = {name: volumes_in(images.parent / name) for name in MASKS if (images.parent / name).is_dir()}
    known, unlisted = _known(images, [folder.name for folder in folders], problem)
    subjects = (found_subject(folder.name, None, folder, partial(_files, masks), {}, problem) for folder in folders)
    found = sort_out(map(known.describe, subjects))
    graded, rules = _graded(found.subjects, problem)
    automated = [one.id for one in graded if one.mask and MASKS["automated_segm"] in str(one.mask).lower()]
    return Found(graded, found.faults, (*notes, *unlisted, *rules, *automated_masks(automated)))


def _files(masks: dict[str, Volumes], folder: Path) -> Files:
    own = [volumes.get((folder.name + MASKS[name]).lower(), ()) for name, volumes in masks.items()]
    return Files(named_after(folder.name, ENDINGS, volumes_in(folder)), next(filter(None, own), ()))


def _known(images: Path, ids: Sequence[str], problem: Problem) -> tuple[Clinical, tuple[str, ...]]:
    """What the clinical table says, where there is one; and notes on ids that only one of the two has."""
    table = last_table((images, images.parent, images.parent.parent), TABLES)
    if table is None:
        return clinical("", {}, (), problem), ()
    wanted = () if problem.reading == "glioma" else (problem.asked,)
    known = clinical(table.name, read_rows(table, "ID"), wanted, problem)
    return known, tuple(unmatched(table, known.rows, ids, "what it tells of them is"))


def _graded(subjects: list[Subject], problem: Problem) -> tuple[list[Subject], tuple[str, ...]]:
    """Gliomas with the grade of a glioblastoma, and the rule by which it is read."""
    if problem.reading != "glioma":
        return subjects, ()
    (grade,), rules = read_classes(["WHO grade 4"], "WHO grade", problem)
    assert isinstance(grade, int)
    return [replace(subject, grade=grade) for subject in subjects], rules


UPENN_GBM = Layout(
    "UPENN-GBM",
    f"folder {IMAGES}/ with UPENN-GBM-00001_11/ and so on, masks beside it in {' or '.join(MASKS)}",
    frozenset({1, 2, 4}),
    _recognises,
    _find,
)
