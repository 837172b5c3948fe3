"""BraTS 2018 and 2019: `HGG/<id>/<id>_flair.nii.gz`, `LGG/<id>/…`; the folder is the grade."""

from collections.abc import Mapping
from pathlib import Path

from gliobench.cohort.layouts.layout import Found, Layout, folder_subject, patient_folders, sort_out, subfolders
from gliobench.cohort.problem import Problem

ENDINGS = {"flair": "_flair", "t1": "_t1", "t1ce": "_t1ce", "t2": "_t2"}
MASK_ENDING = "_seg"


def has_endings(endings: Mapping[str, str], problem: Problem) -> bool:
    """Whether files with these endings, by image, are images of the problem."""
    return endings.keys() >= set(problem.names)


def _graded(root: Path, problem: Problem) -> list[tuple[int, Path]]:
    """The folders named after a class, in upper or lower case."""
    if not root.is_dir():
        return []
    names = {name.upper(): grade for grade, name in enumerate(problem.classes)}
    return [(names[folder.name.upper()], folder) for folder in subfolders(root) if folder.name.upper() in names]


def _recognises(root: Path, problem: Problem) -> bool:
    return has_endings(ENDINGS, problem) and bool(_graded(root, problem))


def _find(root: Path, problem: Problem) -> Found:
    found = [(grade, *patient_folders(folder)) for grade, folder in _graded(root, problem)]
    patients = (
        folder_subject(one, grade, ENDINGS, MASK_ENDING, problem) for grade, folders, _ in found for one in folders
    )
    return sort_out(patients, tuple(note for _, _, notes in found for note in notes))


BRATS_2018 = Layout("BraTS 2018/2019", "folders HGG/ and LGG/", frozenset({1, 2, 4}), _recognises, _find)
