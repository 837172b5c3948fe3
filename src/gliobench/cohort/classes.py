"""Classes as written in tables: by their names, or as a problem's own reading has them."""

from collections.abc import Sequence

from gliobench.cohort.grades import NOTHING, ClassError, read_grades
from gliobench.cohort.problem import Problem

__all__ = ["ClassError", "read_classes"]


def read_classes(
    cells: Sequence[str], column: str, problem: Problem
) -> tuple[list[int | ClassError | None], tuple[str, ...]]:
    """The class of every cell of a column, None where it is empty, and the rules by which they were read."""
    if problem.reading == "glioma":
        return read_grades(cells, column)
    numbers = {name.upper(): number for number, name in enumerate(problem.classes)}
    return [_class(cell, numbers, problem) for cell in cells], ()


def _class(cell: str, numbers: dict[str, int], problem: Problem) -> int | ClassError | None:
    plain = " ".join(str(cell).upper().split())
    if plain in numbers:  # a class may be called None
        return numbers[plain]
    if plain in {*NOTHING, *map(str.upper, problem.unknown)} or not problem.classes:
        return None
    return ClassError(f"{problem.asked} {cell!r}: expected {', '.join(problem.classes)} or nothing")
