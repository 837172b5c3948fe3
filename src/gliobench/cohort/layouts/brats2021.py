"""BraTS 2021: `<id>/<id>_flair.nii.gz`, no grades; BraTS 2023 and later: `<id>/<id>-t2f.nii.gz`, label 3 enhancing."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from gliobench.cohort.layouts.brats2018 import ENDINGS, MASK_ENDING, has_endings
from gliobench.cohort.layouts.layout import (
    Found,
    Layout,
    folder_subject,
    patient_folders,
    sort_out,
    subfolders,
    volumes_in,
)
from gliobench.cohort.problem import Problem

ENDINGS_2023 = {"flair": "-t2f", "t1": "-t1n", "t1ce": "-t1c", "t2": "-t2w"}
ELSEWHERE = ("_t1gd", "_t1c")  # T1 with contrast agent in UPENN-GBM, BraTS-TCGA and UCSF-PDGM


def _recognises(endings: Mapping[str, str], root: Path, problem: Problem) -> bool:
    return (
        has_endings(endings, problem)
        and root.is_dir()
        and any(_is_patient(folder, endings) for folder in subfolders(root))
    )


def _is_patient(folder: Path, endings: Mapping[str, str]) -> bool:
    try:
        volumes, id = volumes_in(folder), folder.name.lower()
    except OSError:
        return False
    own, other = ([id + ending for ending in one if id + ending in volumes] for one in (endings.values(), ELSEWHERE))
    return bool(own) and not other


def _find(endings: Mapping[str, str], mask_ending: str, root: Path, problem: Problem) -> Found:
    folders, notes = patient_folders(root)
    return sort_out((folder_subject(folder, None, endings, mask_ending, problem) for folder in folders), notes)


BRATS_2021 = Layout(
    "BraTS 2021",
    "folders <id>/ with <id>_flair.nii.gz and so on",
    frozenset({1, 2, 4}),
    partial(_recognises, ENDINGS),
    partial(_find, ENDINGS, MASK_ENDING),
)
BRATS_2023 = Layout(
    "BraTS 2023",
    "folders <id>/ with <id>-t2f.nii.gz and so on",
    frozenset({1, 2, 3}),
    partial(_recognises, ENDINGS_2023),
    partial(_find, ENDINGS_2023, "-seg"),
)
