"""Training, validation and test patients: split by patient, recorded, and never overlapping.

Two schemes. Hold-out: the test patients are the same for every fold, and each fold is the validation set once.
Cross-validation: each fold is the test set once, and a fraction of the others is the validation set, so that no model
is tested on patients that it was selected on. Its folds are drawn, or are groups such as sources.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gliobench.cohort import reference_study
from gliobench.cohort.patients import several_scans
from gliobench.cohort.problem import GLIOMA
from gliobench.errors import GliobenchError

Ids = tuple[str, ...]
Patients = Mapping[str, str]  # each scan with its patient; a scan that is not in it is a patient of its own


class SplitError(GliobenchError, ValueError):
    """A split that cannot be made, read or trusted; the message names the patients or the file."""


@dataclass(frozen=True)
class Fold:
    """The scans of one fold. Raises SplitError where a patient is in two parts."""

    train: Ids
    validation: Ids
    test: Ids
    patients: Patients = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _no_overlap({"training": self.train, "validation": self.validation, "test": self.test}, self.patients)

    def whose(self, ids: Ids) -> dict[str, str]:
        """Some of its scans with their patients."""
        return {id: self.patients.get(id, id) for id in ids}


@dataclass(frozen=True)
class Split:
    """Test patients and k folds of the others, by the ids of their scans; `source` says where it is from.

    `validation`: empty for a hold-out split. In cross-validation, where `test` is empty, for each fold the validation
    patients while it is tested. `always`: training patients of every fold, who are never tested. `patients` are from
    the cohort, and are not in a split file. Raises SplitError where a patient is in two parts, or duplicated in one, or
    a fold is empty.
    """

    test: Ids
    folds: tuple[Ids, ...]
    seed: int | None
    source: str
    validation: tuple[Ids, ...] = ()
    patients: Patients = field(default_factory=dict, compare=False, repr=False)
    always: Ids = ()

    def __post_init__(self) -> None:
        if len(self.folds) < 2:
            raise SplitError(f"a split needs at least 2 folds, got {len(self.folds)}")
        named = {f"fold {number}": fold for number, fold in enumerate(self.folds)}
        if empty := [name for name, fold in named.items() if not fold]:
            raise SplitError(f"{', '.join(empty)} of {len(self.folds)} has no patient: use fewer folds")
        _no_overlap({"test": self.test, "training only": self.always, **named}, self.patients)
        if self.validation and (self.test or len(self.validation) != len(self.folds)):
            raise SplitError(
                "cross-validation has no test patients beside its folds, and needs validation patients for each fold"
            )

    @property
    def crossed(self) -> bool:
        """Whether it is a cross-validation: each fold is tested once."""
        return bool(self.validation)

    @property
    def everybody(self) -> Ids:
        """All patients in any part of it."""
        return tuple(id for part in (self.test, self.always, *self.folds) for id in part)

    @property
    def checksum(self) -> str:
        """SHA-256 (hexadecimal) of the split's content."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()

    def fold(self, number: int) -> Fold:
        """Fold `number` (from 0): its training, validation and test patients. Raises SplitError where there is no such
        fold."""
        if not 0 <= number < len(self.folds):
            raise SplitError(
                f"fold {number} does not exist: the split ({self.source}) has folds 0 to {len(self.folds) - 1}"
            )
        others = sorted(
            [*self.always, *(id for other, fold in enumerate(self.folds) if other != number for id in fold)]
        )
        if not self.crossed:
            return Fold(tuple(others), self.folds[number], self.test, self.patients)
        train = tuple(id for id in others if id not in self.validation[number])
        return Fold(train, self.validation[number], self.folds[number], self.patients)

    def content(self) -> dict[str, Any]:
        """All of it but the patients, as plain JSON."""
        content: dict[str, Any] = {"source": self.source, "seed": self.seed, "test": self.test, "folds": self.folds}
        content |= {"validation": self.validation} if self.crossed else {}
        return content | ({"always": self.always} if self.always else {})


def _no_overlap(parts: Mapping[str, Ids], patients: Patients) -> None:
    """Raise SplitError where a patient is in two parts, or duplicated in one; or has scans in two parts."""
    places: dict[str, list[str]] = {}
    for name, ids in parts.items():
        for id in ids:
            places.setdefault(id, []).append(name)
    for patient, scans in several_scans({id: patients.get(id, id) for id in places}).items():
        if len(found := dict.fromkeys(name for scan in scans for name in places[scan])) > 1:
            places[patient] = list(found)
    shared = [f"{id} ({' and '.join(names)})" for id, names in sorted(places.items()) if len(names) > 1]
    if shared:
        raise SplitError(f"{len(shared)} patients are in more than one part of the split: {shown(shared)}")


def make_split(
    grades: Mapping[str, int | None],
    patients: Patients,
    *,
    test_share: float,
    folds: int,
    seed: int,
    asked: str = GLIOMA.asked,
) -> Split:
    """A test set and k folds, stratified: each with the cohort's proportion of grades, up to whole patients.

    The unit is the patient, not the scan: all scans (the keys of `grades`) of one of `patients` stay together.

    Patients without a grade are a stratum of their own. The test set is `test_share` of the patients, rounded, at least
    one; its strata are rounded by largest remainder. Folds differ by one patient at most, in all and in each stratum.
    `asked`: what a class is called. Depends on ids, grades and seed, not on the order of `grades`. Raises SplitError
    where fewer training patients than folds are left.
    """
    if not 0 < test_share < 1:
        raise SplitError(f"test_share must lie between 0 and 1, got {test_share}")
    scans, grades = by_patient(grades, patients)
    tested = max(1, math.floor(len(grades) * test_share + 0.5))
    if len(grades) - tested < folds:
        raise SplitError(
            f"{len(grades)} patients, {tested} of them for the test, leave {len(grades) - tested} for {folds} folds: "
            "every fold needs one; use fewer folds, a smaller test share or more patients"
        )
    test, rest = _drawn(grades, tested, np.random.default_rng(seed))
    return Split(
        scans.of(test), tuple(map(scans.of, _dealt(rest, folds))), seed, f"stratified by {asked}", (), patients
    )


def make_cross_validation(
    grades: Mapping[str, int | None],
    patients: Patients,
    *,
    folds: int,
    validation_share: float,
    seed: int,
    asked: str = GLIOMA.asked,
) -> Split:
    """k folds of all patients, each tested once; `validation_share` of the others, at least one, are for validation.

    Stratified as `make_split` is. Raises SplitError where there are fewer patients than folds, or no training patient
    is left.
    """
    if not 0 < validation_share < 1:
        raise SplitError(f"validation_share must lie between 0 and 1, got {validation_share}")
    scans, grades = by_patient(grades, patients)
    if len(grades) < max(folds, 3):
        raise SplitError(f"{len(grades)} patients for {folds} folds: use fewer folds or more patients")
    random = np.random.default_rng(seed)
    dealt = _dealt(_drawn(grades, 0, random)[1], folds)
    validation = tuple(map(scans.of, _validation(grades, dealt, validation_share, random)))
    parts = tuple(map(scans.of, dealt))
    return Split((), parts, seed, f"cross-validation, stratified by {asked}", validation, patients)


def leave_one_out(
    grades: Mapping[str, int | None],
    patients: Patients,
    groups: Mapping[str, str],
    *,
    validation_share: float,
    seed: int,
    by: str,
) -> Split:
    """Cross-validation whose folds are groups: each is tested once, by models trained on all the others.

    `groups`: of each scan of `grades`; `by`: what they are, such as "source". The validation patients, stratified by
    grade, are of the other groups. Raises SplitError for fewer than two groups, for a patient in two, and where the
    others of a fold are fewer than two patients.
    """
    scans, highest = by_patient(grades, patients)
    names = sorted(set(groups.values()))
    if len(names) < 2:
        raise SplitError(f"by: {by}: {', '.join(names) or 'no group'}: at least 2 are needed, to leave one out")
    folds = [[patient for patient in highest if groups[patient] == name] for name in names]
    if few := [name for name, fold in zip(names, folds, strict=True) if len(highest) - len(fold) < 2]:
        raise SplitError(f"by: {by}: without {few[0]} fewer than 2 patients are left to train and to validate on")
    drawn = _validation(highest, folds, validation_share, np.random.default_rng(seed))
    source = f"leave one {by} out: {', '.join(f'fold {number} {name}' for number, name in enumerate(names))}"
    return Split((), tuple(map(scans.of, folds)), seed, source, tuple(map(scans.of, drawn)), patients)


def _validation(
    grades: Mapping[str, int | None], folds: Sequence[Sequence[str]], share: float, random: np.random.Generator
) -> list[Ids]:
    """For each fold the validation patients, drawn from the others stratified by grade: at least one, never all."""
    validation = []
    for fold in folds:
        others = {id: grade for id, grade in grades.items() if id not in fold}
        wanted = min(max(1, math.floor(len(others) * share + 0.5)), len(others) - 1)
        validation.append(tuple(sorted(_drawn(others, wanted, random)[0])))
    return validation


@dataclass(frozen=True)
class Scans:
    """The scans of every patient."""

    by_patient: Mapping[str, Sequence[str]]

    def of(self, patients: Sequence[str]) -> Ids:
        """All scans of some patients, sorted."""
        return tuple(sorted(scan for patient in patients for scan in self.by_patient[patient]))


def by_patient(grades: Mapping[str, int | None], patients: Patients) -> tuple[Scans, dict[str, int | None]]:
    """The scans of every patient, and each patient's grade: the highest of its scans.

    A patient is named by its first scan's id, so that cohorts with one scan each are drawn as in earlier versions.
    """
    first: dict[str, str] = {}
    scans: dict[str, list[str]] = {}
    for scan in sorted(grades):
        scans.setdefault(first.setdefault(patients.get(scan, scan), scan), []).append(scan)
    highest = {
        patient: max((grade for scan in own if (grade := grades[scan]) is not None), default=None)
        for patient, own in scans.items()
    }
    return Scans(scans), highest


def _drawn(grades: Mapping[str, int | None], count: int, random: np.random.Generator) -> tuple[list[str], list[str]]:
    """`count` patients drawn stratified by grade, and the others, stratum after stratum."""
    strata = []
    for grade in sorted(set(grades.values()), key=lambda grade: (grade is None, grade)):
        members = sorted(id for id, found in grades.items() if found == grade)
        strata.append([members[place] for place in random.permutation(len(members))])
    shares = _rounded_shares([len(stratum) for stratum in strata], count)
    drawn = [id for stratum, share in zip(strata, shares, strict=True) for id in stratum[:share]]
    return drawn, [id for stratum, share in zip(strata, shares, strict=True) for id in stratum[share:]]


def _dealt(ids: Sequence[str], folds: int) -> tuple[Ids, ...]:
    """Assigned to folds in turn, stratum after stratum, so that fold sizes differ by one at most."""
    return tuple(tuple(sorted(ids[number::folds])) for number in range(folds))


def _rounded_shares(sizes: Sequence[int], total: int) -> list[int]:
    """`total` divided in proportion to `sizes` by largest remainder (Hamilton's method)."""
    exact = [size * total / sum(sizes) for size in sizes]
    shares = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def reference_split(patients: Patients) -> Split:
    """The reference study's own split, for those of its patients in the cohort: 55 tested, five folds of 62 that
    validate.

    `patients`: the cohort's scans with their patients; those that the study did not use are in no part of it. Raises
    SplitError where a part is empty, and where two of the study's patients are one in the cohort.
    """
    known = set(patients)
    test = _those_of(reference_study.tested_patients(), known)
    folds = tuple(_those_of(fold, known) for fold in reference_study.validation_folds())
    found = len(test) + sum(map(len, folds))
    if empty := [name for name, ids in (("test", test), *_numbered(folds)) if not ids]:
        raise SplitError(
            f"the reference study's split: {found} of its 365 patients are in this cohort ({len(known)} patients), "
            f"none in {', '.join(empty)}: it is for BraTS 2020's training set; `scheme: holdout` is for any cohort"
        )
    return Split(test, folds, None, f"the reference study's own patients, {found} of 365", (), patients)


def _those_of(ids: Sequence[str], known: set[str]) -> Ids:
    return tuple(sorted(id for id in ids if id in known))


def _numbered(folds: Sequence[Ids]) -> list[tuple[str, Ids]]:
    return [(f"fold {number}", ids) for number, ids in enumerate(folds)]


def shown(names: Sequence[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
