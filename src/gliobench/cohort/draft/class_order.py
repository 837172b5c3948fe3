"""Which values of a column are classes, and in which order they are steps of a scale."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gliobench.cohort.draft.draft import Columns, words_of
from gliobench.cohort.grades import NOTHING
from gliobench.cohort.problem import MOST_CLASSES
from gliobench.cohort.subject import CohortError

NAMED = (  # columns that are classes, the most telling first
    *("class", "grade", "diagnosis", "label", "labels", "malignancy", "stage", "who_grade", "outcome", "histology"),
    *("subtype", "type", "category", "group"),
)
UNKNOWN = ("unknown", "unclear", "undetermined", "missing", "not known", "not available", "?", "-")
SCALES = (  # from low to high
    ("absent", "present"),
    ("no", "yes"),
    ("false", "true"),
    ("negative", "equivocal", "positive"),
    ("normal", "abnormal"),
    ("healthy", "diseased"),
    ("control", "case"),
    ("benign", "borderline", "indeterminate", "malignant"),
    ("none", "minimal", "mild", "moderate", "severe"),
    ("low", "intermediate", "medium", "high"),
    ("lgg", "hgg"),
    ("i", "ii", "iii", "iv", "v"),
)
OF_SCALES = frozenset({"grade", "stage", "who", "class", "type", "risk"})  # words beside the step: "grade II"


class Classes(NamedTuple):
    """Classes in order; `ordered`: whether as steps of a scale. `unknown`: what is written where it is not known."""

    names: tuple[str, ...] = ()
    ordered: bool = False
    unknown: tuple[str, ...] = ()


def class_column(columns: Columns, wanted: str | None, source: Path) -> str | None:
    """The column of the classes: the one that is `wanted`, else the first with a telling name and 2 to 9 values.
    Raises CohortError where the wanted one has not."""
    if wanted is None:
        by_name = {column.lower().replace(" ", "_"): column for column in columns}
        return next((by_name[name] for name in NAMED if by_name.get(name) in class_like(columns)), None)
    if wanted not in columns:
        raise CohortError(f"{source}: no column {wanted} for the class; found {', '.join(columns)}")
    if wanted not in class_like(columns):
        count = len(_values(columns[wanted]))
        raise CohortError(
            f"{source}: the column {wanted} has {count} different values; expected 2 to {MOST_CLASSES} classes"
        )
    return wanted


def class_like(columns: Columns) -> list[str]:
    """The columns that could be classes by their number of values."""
    return [column for column, cells in columns.items() if 2 <= len(_values(cells)) <= MOST_CLASSES]


def classes_in(cells: Sequence[str]) -> Classes:
    """The classes that a column's cells name."""
    values = _values(cells)
    unknown = tuple(sorted({cell.strip() for cell in cells if cell.strip().lower() in UNKNOWN}))
    ranks = _ranks(values)
    return Classes(tuple(sorted(values, key=ranks.__getitem__ if ranks else None)), bool(ranks), unknown)


def _values(cells: Sequence[str]) -> list[str]:
    """The different values, each as it is written the most often; without those that mean that it is not known."""
    written: dict[str, Counter[str]] = {}
    for cell in cells:
        text = " ".join(cell.split())
        if text.upper() not in NOTHING and text.lower() not in UNKNOWN:
            written.setdefault(text.upper(), Counter())[text] += 1
    return sorted(counts.most_common(1)[0][0] for counts in written.values())


def _ranks(values: Sequence[str]) -> dict[str, float]:
    """The place of every value on one scale; empty where there is no scale of all of them."""
    try:
        return {value: float(value) for value in values}
    except ValueError:
        pass
    steps = {value: " ".join(word for word in words_of(value) if word not in OF_SCALES) for value in values}
    if all(step.isdecimal() for step in steps.values()):
        scale: Sequence[str] = sorted(steps.values(), key=int)
    else:
        scale = next((scale for scale in SCALES if {*steps.values()} <= {*scale}), ())
    distinct = len({*steps.values()}) == len(values)
    return {value: float(scale.index(step)) for value, step in steps.items()} if scale and distinct else {}
