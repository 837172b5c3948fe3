"""The patients of the reference study (arXiv 2509.10683): ids of BraTS 2020's training set, in the study's own order.

The study published positions in a shuffled list, but not the list. The order of folders that its data notebook prints,
its `train_test_split(test_size=0.15, stratify, random_state=42)` and its `StratifiedKFold(5)` reproduce it: all 55
grades and all five folds of positions agree. It excluded 349, 357, 360 and 366, which have too few slices for it.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

Ids = tuple[str, ...]


def tested_patients() -> Ids:
    """The 55 test patients: the study's patient k is the k-th."""
    return _ids("test")


def train_validation_patients() -> Ids:
    """The 310 others: position p of its fold indices (image // 4) is the p-th."""
    return _ids("train_validation")


def validation_folds() -> tuple[Ids, ...]:
    """The validation patients of each of its five folds; the other 248 of the 310 are the training patients."""
    return tuple(map(_named, _content()["folds"]))


def _ids(part: str) -> Ids:
    return _named(_content()[part])


def _named(numbers: list[int]) -> Ids:
    return tuple(f"BraTS20_Training_{number:03d}" for number in numbers)


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("gliobench.cohort").joinpath("reference_study.json").read_text())
    return content
