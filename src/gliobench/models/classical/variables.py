"""What a table says of patients as features: numbers as they are, words as one column per category."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gliobench.cohort.variables import all_numbers, as_number, stated
from gliobench.grid.prepared import PreparedSubject

TWICE = 2  # patients of each class, or on average of each value: with fewer, anything separates them


@dataclass(frozen=True)
class Variable:
    """A column of the table. `categories`: the words that training patients have; of numbers none. `gaps`: whether a
    training patient lacks it."""

    name: str
    numeric: bool
    categories: tuple[str, ...] = ()
    gaps: bool = False

    def of(self, subject: PreparedSubject) -> str | None:
        """What the table says of a patient, or None."""
        return stated(subject.variables, self.name)

    def fitted(self, train: Sequence[PreparedSubject]) -> "Variable":
        """The same with what training patients have."""
        values = [self.of(one) for one in train]
        words = () if self.numeric else tuple(sorted({value for value in values if value is not None}))
        return replace(self, categories=words, gaps=None in values)

    def features(self, subject: PreparedSubject) -> list[float]:
        """The number (NaN where it is missing), or 1 for the patient's category and 0 for each other; where training
        patients lack it, also whether this one does. A category that no training patient has is 0 throughout."""
        value = self.of(subject)
        marker = [float(value is None)] if self.gaps else []
        if self.numeric:
            number = None if value is None else as_number(value)
            return [float("nan") if number is None else number, *marker]
        return [*(float(value == category) for category in self.categories), *marker]


def find_variables(names: Iterable[str], subjects: Iterable[PreparedSubject]) -> tuple[Variable, ...]:
    """The columns of these names: numbers where all patients' known values are."""
    patients = list(subjects)
    return tuple(
        Variable(name, all_numbers(stated(one.variables, name) for one in patients)) for name in dict.fromkeys(names)
    )


def variable_faults(variable: Variable, train: Sequence[PreparedSubject]) -> Iterator[str]:
    """What is odd about a variable among training patients with a class: it tells nothing, or it gives the class away.

    It separates the classes where each of its values (missing is one) has patients of one class only, with two patients
    a value on average, or, of numbers, where the classes' ranges do not overlap (an AUC of 0 or 1).
    """
    values = [variable.of(one) for one in train]
    classes = [one.grade for one in train if one.grade is not None]
    if len(set(values)) == 1:
        yield f"{variable.name} is {'missing' if values[0] is None else values[0]} in all training patients"
    elif len(set(classes)) > 1 and min(map(classes.count, set(classes))) >= TWICE:
        if _one_to_one([value is None for value in values], classes):
            yield f"whether {variable.name} is given separates the classes of all training patients"
        elif _one_to_one(values, classes) or (variable.numeric and None not in values and _apart(values, classes)):
            yield f"{variable.name} alone separates the classes of all training patients"


def _one_to_one(values: Sequence[object], classes: Sequence[int]) -> bool:
    kinds = set(values)
    return 1 < len(kinds) <= len(values) / TWICE and len(set(zip(values, classes, strict=True))) == len(kinds)


def _apart(values: Sequence[str | None], classes: Sequence[int]) -> bool:
    """Whether the ranges of the classes' numbers do not overlap."""
    numbers: dict[int, list[float]] = {}
    for value, number in zip(values, classes, strict=True):
        numbers.setdefault(number, []).append(float(str(value)))
    ranges = sorted((min(own), max(own)) for own in numbers.values())
    return all(high < low for (_, high), (low, _) in pairwise(ranges))
