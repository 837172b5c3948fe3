"""BraTS 2018 and 2019: `HGG/<id>/<id>_flair.nii.gz`, `LGG/<id>/…`; the folder is the grade."""

from pathlib import Path

from gliobench.cohort.layouts.layout import Found, Layout, folder_subject, sort_out, subfolders
from gliobench.cohort.subject import GRADE_NAMES

ENDINGS = {"flair": "_flair", "t1": "_t1", "t1ce": "_t1ce", "t2": "_t2"}
MASK_ENDING = "_seg"


def _recognises(root: Path) -> bool:
    return any((root / name).is_dir() for name in GRADE_NAMES)


def _find(root: Path) -> Found:
    return sort_out(
        folder_subject(folder, grade, ENDINGS, MASK_ENDING)
        for grade, name in enumerate(GRADE_NAMES)
        if (root / name).is_dir()
        for folder in subfolders(root / name)
    )


BRATS_2018 = Layout("BraTS 2018/2019", "folders HGG/ and LGG/", frozenset({1, 2, 4}), _recognises, _find)
