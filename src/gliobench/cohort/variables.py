"""What a cohort's table says of a patient beside images and class: numbers, words, or nothing."""

import math
from collections.abc import Iterable, Mapping, Sequence

from gliobench.cohort.grades import NOTHING

Variables = Mapping[str, str]  # of one patient, by column


def stated(variables: Variables, column: str) -> str | None:
    """What the table says, None where the cell is empty or marks an unknown value ("NA", "nan", "none", …)."""
    text = variables.get(column, "").strip()
    return None if text.upper() in NOTHING else text


def as_number(text: str) -> float | None:
    """The finite number that a cell is, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def all_numbers(values: Iterable[str | None]) -> bool:
    """Whether every value that is known is a number, and any is."""
    known = [value for value in values if value is not None]
    return bool(known) and all(as_number(value) is not None for value in known)


def unknown_column(columns: Sequence[str], patients: Iterable[Variables]) -> str | None:
    """Why one of these columns cannot be used: no patient has it. None where all are there."""
    known = sorted({name for variables in patients for name in variables})
    lacking = [name for name in columns if name not in known]
    if not lacking:
        return None
    return f"the cohort's table has no column {lacking[0]!r}; it has {', '.join(known) or 'none'}"
