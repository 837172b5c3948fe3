"""BraTS-TCGA-GBM and BraTS-TCGA-LGG, TCIA's pre-operative scans of TCGA with segmentations:
`Pre-operative_TCGA_GBM_NIfTI_and_Segmentations/TCGA-02-0006/TCGA-02-0006_1996.08.23_flair.nii.gz`.

The collection is the grade, as in BraTS: TCGA-LGG has WHO grades 2 and 3. A folder that holds both is one cohort. Masks
are GLISTRboost's, corrected by an expert (`_GlistrBoost_ManuallyCorrected`) or, without that, as they are
(`_GlistrBoost`). Bakas 2017, doi:10.1038/sdata.2017.117.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gliobench.cohort.layouts.brats2018 import has_endings
from gliobench.cohort.layouts.layout import (
    Files,
    Found,
    Layout,
    any_holds,
    automated_masks,
    found_subject,
    named_folders,
    sort_out,
    subfolders,
    volumes_in,
)
from gliobench.cohort.problem import Problem

ENDINGS = {"flair": "_flair", "t1": "_t1", "t1ce": "_t1gd", "t2": "_t2"}
CORRECTED, AUTOMATED = "_glistrboost_manuallycorrected", "_glistrboost"
CLASSES: Mapping[str, str] = {"GBM": "HGG", "LGG": "LGG"}
_PATIENT = re.compile(r"TCGA-\w\w-\w{4}", re.IGNORECASE)
_COLLECTION = re.compile(r"TCGA[-_ ](GBM|LGG)", re.IGNORECASE)


def _recognises(root: Path, problem: Problem) -> bool:
    folders = _collections(root)
    return has_endings(ENDINGS, problem) and any(
        any_holds(named_folders(folder, _PATIENT)[0], _files, problem) for folder in folders
    )


def _collections(root: Path) -> list[Path]:
    """The folders of patients: `root`, or those inside it if it holds collections and nothing else."""
    if not root.is_dir():
        return []
    if named_folders(root, _PATIENT)[0]:
        return [root]
    inside = subfolders(root)
    if not all(_COLLECTION.search(folder.name) for folder in inside):
        return []
    return [found for folder in inside for found in _collections(folder)]


def _find(root: Path, problem: Problem) -> Found:
    found = [(folder, *named_folders(folder, _PATIENT)) for folder in _collections(root)]
    patients = sort_out(
        found_subject(folder.name, _grade(collection, problem), folder, _files, {}, problem)
        for collection, folders, _ in found
        for folder in folders
    )
    masked = [subject for subject in patients.subjects if subject.mask]
    automated = [subject.id for subject in masked if CORRECTED not in str(subject.mask).lower()]
    notes = [note for _, _, notes in found for note in notes]
    return patients._replace(notes=(*notes, *automated_masks(automated)))


def _grade(collection: Path, problem: Problem) -> int | None:
    """The class of a collection, by its folder's name or that of the folder around it."""
    folder = collection.resolve()
    match = _COLLECTION.search(folder.name) or _COLLECTION.search(folder.parent.name)
    word, classes = CLASSES[match[1].upper()] if match else "", [name.upper() for name in problem.classes]
    return classes.index(word) if word in classes else None


def _files(folder: Path) -> Files:
    """The files `<id>_<date><ending>`."""
    volumes = {name: paths for name, paths in volumes_in(folder).items() if name.startswith(folder.name.lower())}

    def ending(end: str) -> Sequence[Path]:
        return [path for name, paths in volumes.items() if name.endswith(end) for path in paths]

    return Files({image: ending(end) for image, end in ENDINGS.items()}, ending(CORRECTED) or ending(AUTOMATED))


BRATS_TCGA = Layout(
    "BraTS-TCGA",
    "folders TCGA-02-0006/ with TCGA-02-0006_<date>_t1Gd.nii.gz and so on, in a folder named after TCGA-GBM or -LGG",
    frozenset({1, 2, 4}),
    _recognises,
    _find,
)
