"""Training, validation and test patients: split by patient, recorded, and never overlapping.

Two schemes. Hold-out: the test patients are the same for every fold, and each fold is the validation set once.
Cross-validation: each fold is the test set once, and a fraction of the others is the validation set, so that no model
is tested on patients that it was selected on.
"""

import csv
import hashlib
import json
import math
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gliobench.cohort import reference_study
from gliobench.cohort.patients import several_scans
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
    patients while it is tested. `patients` are from the cohort, and are not in a split file. Raises SplitError where a
    patient is in two parts, or duplicated in one, or a fold is empty.
    """

    test: Ids
    folds: tuple[Ids, ...]
    seed: int | None
    source: str
    validation: tuple[Ids, ...] = ()
    patients: Patients = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.folds) < 2:
            raise SplitError(f"a split needs at least 2 folds, got {len(self.folds)}")
        named = {f"fold {number}": fold for number, fold in enumerate(self.folds)}
        if empty := [name for name, fold in named.items() if not fold]:
            raise SplitError(f"{', '.join(empty)} of {len(self.folds)} has no patient: use fewer folds")
        _no_overlap({"test": self.test, **named}, self.patients)
        if self.validation and (self.test or len(self.validation) != len(self.folds)):
            raise SplitError(
                "cross-validation has no test patients beside its folds, and needs validation patients for each fold"
            )

    @property
    def crossed(self) -> bool:
        """Whether it is a cross-validation: each fold is tested once."""
        return bool(self.validation)

    @property
    def checksum(self) -> str:
        """SHA-256 (hexadecimal) of the split's content."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def fold(self, number: int) -> Fold:
        """Fold `number` (from 0): its training, validation and test patients. Raises SplitError where there is no such
        fold."""
        if not 0 <= number < len(self.folds):
            raise SplitError(
                f"fold {number} does not exist: the split ({self.source}) has folds 0 to {len(self.folds) - 1}"
            )
        others = sorted(id for other, fold in enumerate(self.folds) if other != number for id in fold)
        if not self.crossed:
            return Fold(tuple(others), self.folds[number], self.test, self.patients)
        train = tuple(id for id in others if id not in self.validation[number])
        return Fold(train, self.validation[number], self.folds[number], self.patients)

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = {"source": self.source, "seed": self.seed, "test": self.test, "folds": self.folds}
        return content | ({"validation": self.validation} if self.crossed else {})


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
        raise SplitError(f"{len(shared)} patients are in more than one part of the split: {_shown(shared)}")


def make_split(
    grades: Mapping[str, int | None], patients: Patients, *, test_share: float, folds: int, seed: int
) -> Split:
    """A test set and k folds, stratified: each with the cohort's proportion of grades, up to whole patients.

    The unit is the patient, not the scan: all scans (the keys of `grades`) of one of `patients` stay together.

    Patients without a grade are a stratum of their own. The test set is `test_share` of the patients, rounded, at least
    one; its strata are rounded by largest remainder. Folds differ by one patient at most, in all and in each stratum.
    Depends on ids, grades and seed, not on the order of `grades`. Raises SplitError where fewer training patients than
    folds are left.
    """
    if not 0 < test_share < 1:
        raise SplitError(f"test_share must lie between 0 and 1, got {test_share}")
    scans, grades = _by_patient(grades, patients)
    tested = max(1, math.floor(len(grades) * test_share + 0.5))
    if len(grades) - tested < folds:
        raise SplitError(
            f"{len(grades)} patients, {tested} of them for the test, leave {len(grades) - tested} for {folds} folds: "
            "every fold needs one; use fewer folds, a smaller test share or more patients"
        )
    test, rest = _drawn(grades, tested, np.random.default_rng(seed))
    return Split(scans.of(test), tuple(map(scans.of, _dealt(rest, folds))), seed, "stratified by grade", (), patients)


def make_cross_validation(
    grades: Mapping[str, int | None], patients: Patients, *, folds: int, validation_share: float, seed: int
) -> Split:
    """k folds of all patients, each tested once; `validation_share` of the others, at least one, are for validation.

    Stratified as `make_split` is. Raises SplitError where there are fewer patients than folds, or no training patient
    is left.
    """
    if not 0 < validation_share < 1:
        raise SplitError(f"validation_share must lie between 0 and 1, got {validation_share}")
    scans, grades = _by_patient(grades, patients)
    if len(grades) < max(folds, 3):
        raise SplitError(f"{len(grades)} patients for {folds} folds: use fewer folds or more patients")
    random = np.random.default_rng(seed)
    dealt = _dealt(_drawn(grades, 0, random)[1], folds)
    validation = []
    for fold in dealt:
        others = {id: grade for id, grade in grades.items() if id not in fold}
        wanted = min(max(1, math.floor(len(others) * validation_share + 0.5)), len(others) - 1)
        validation.append(tuple(sorted(_drawn(others, wanted, random)[0])))
    parts, validation_scans = tuple(map(scans.of, dealt)), tuple(map(scans.of, validation))
    return Split((), parts, seed, "cross-validation, stratified by grade", validation_scans, patients)


@dataclass(frozen=True)
class _Scans:
    """The scans of every patient."""

    by_patient: Mapping[str, Sequence[str]]

    def of(self, patients: Sequence[str]) -> Ids:
        """All scans of some patients, sorted."""
        return tuple(sorted(scan for patient in patients for scan in self.by_patient[patient]))


def _by_patient(grades: Mapping[str, int | None], patients: Patients) -> tuple[_Scans, dict[str, int | None]]:
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
    return _Scans(scans), highest


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


def write_split(split: Split, path: Path) -> None:
    """Write the split as JSON with its checksum, atomically."""
    content = {**split._content(), "checksum": split.checksum}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


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


def read_split(path: Path, patients: Patients, *, checksum: bool = False) -> Split:
    """Read a split and check it against `patients`: the cohort's scans with their patients.

    JSON as `write_split` writes it, or the same written by hand without `checksum`, `seed` and `source`; a CSV with the
    columns `id` and `part` (test, fold-0, fold-1, …); or the reference study's NPZ of positions, in its own order.
    `checksum`: whether JSON must have one, as a run's own does. Raises SplitError: not such a file, its checksum does
    not match, overlap, no test patients, unknown ids. Patients that the split does not name are in no part of it.
    """
    readers = {".npz": _study_split, ".csv": _csv_split}
    split = readers[path.suffix](path) if path.suffix in readers else _json_split(path, checksum)
    if not (split.test or split.crossed):
        raise SplitError(f"{path}: the split has no test patients; name them: `test` in JSON, the part test in CSV")
    known = set(patients)
    if strangers := sorted({id for part in (split.test, *split.folds) for id in part} - known):
        raise SplitError(
            f"{path}: {len(strangers)} patients of the split are not in the cohort ({len(known)} patients): "
            f"{_shown(strangers)}; use the cohort that it was made for, or make a new split"
        )
    try:
        return replace(split, patients=patients)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error


def _json_split(path: Path, needs_checksum: bool) -> Split:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        split = Split(
            test=tuple(map(str, content["test"])),
            folds=tuple(tuple(map(str, fold)) for fold in content["folds"]),
            seed=content.get("seed"),
            source=content.get("source", path.name),
            validation=tuple(tuple(map(str, fold)) for fold in content.get("validation", ())),
        )
        checksum = content["checksum"] if needs_checksum else content.get("checksum", split.checksum)
    except FileNotFoundError as error:
        raise SplitError(f"{path}: no such split file; `gliobench split` makes one") from error
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SplitError(
            f"{path}: neither a split written by `gliobench split` nor lists of ids `test` and `folds` ({error!r})"
        ) from error
    if checksum != split.checksum:
        raise SplitError(
            f"{path}: the checksum does not match: found {checksum}, the content gives {split.checksum}; "
            "the file was changed after it was made: restore it, or make a new split"
        )
    return split


def _csv_split(path: Path) -> Split:
    """A line per patient: `id`, and `part`, which is test or fold-<number from 0>."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except FileNotFoundError as error:
        raise SplitError(f"{path}: no such split file") from error
    except (OSError, ValueError, csv.Error) as error:
        raise SplitError(f"{path}: not a readable CSV ({error})") from error
    parts: dict[str, list[str]] = {}
    for line, row in enumerate(rows, start=2):
        id, part = row.get("id"), row.get("part")
        if not id or not part or not re.fullmatch(r"test|fold-(0|[1-9]\d{0,3})", part):
            raise SplitError(
                f"{path}:{line}: expected the columns id and part (test, fold-0, fold-1, …), found "
                f"{', '.join(f'{name}={value}' for name, value in row.items())}"
            )
        parts.setdefault(part, []).append(id)
    test = tuple(parts.pop("test", ()))
    count = 1 + max((int(name.removeprefix("fold-")) for name in parts), default=-1)
    try:
        return Split(test, tuple(tuple(parts.get(f"fold-{number}", ())) for number in range(count)), None, path.name)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error


def _study_split(path: Path, modalities: int = 4) -> Split:
    """The reference study's five folds: `val_inds_k` count images, `modalities` in a row for each patient.

    They are positions in its own shuffled list, which is not in the file but in this package
    (`gliobench.cohort.reference_study`).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            count = int(file["num_folds"])
            parts = [(np.asarray(file[f"train_inds_{k}"]), np.asarray(file[f"val_inds_{k}"])) for k in range(count)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise SplitError(
            f"{path}: not a file of fold indices (num_folds, train_inds_k, val_inds_k): {error}"
        ) from error
    folds = [np.unique(validation // modalities) for _, validation in parts]
    positions = np.sort(np.concatenate(folds)) if folds else np.empty(0, int)
    if not np.array_equal(positions, np.arange(len(positions))):
        raise SplitError(f"{path}: the validation folds do not have every patient from 0 on exactly once")
    for number, (train, validation) in enumerate(parts):
        both = np.sort(np.concatenate([train, validation]))
        if not np.array_equal(both, np.arange(modalities * len(positions))):
            raise SplitError(f"{path}: training and validation of fold {number} overlap or leave images out")
    order = reference_study.train_validation_patients()
    named = tuple(tuple(order[position] for position in fold) for fold in folds if len(positions) == len(order))
    if {frozenset(fold) for fold in named} != {frozenset(fold) for fold in reference_study.validation_folds()}:
        raise SplitError(
            f"{path}: positions in a list that is not in the file, and not the reference study's: "
            "write the ids themselves, as CSV (id,part) or JSON"
        )
    return Split(tuple(sorted(reference_study.tested_patients())), named, None, path.name)


def balanced_order(
    ids: Sequence[str], grades: Mapping[str, int | None], random: np.random.Generator, draws: int | None = None
) -> list[str]:
    """As many draws as there are `ids`, or `draws`, each grade equally often (an odd draw goes to either).

    A patient of the rarer grade is repeated only after all of that grade were drawn; where only one grade occurs, or
    none, this is a permutation. Patients without a grade are a stratum of their own, drawn in proportion.
    """
    count = len(ids) if draws is None else draws
    strata: dict[int | None, list[str]] = {}
    for id in ids:
        strata.setdefault(grades[id], []).append(id)
    ungraded = strata.pop(None, [])
    shares = [(count - len(ungraded)) // max(len(strata), 1)] * len(strata)
    for place in random.permutation(len(shares))[: count - len(ungraded) - sum(shares)]:
        shares[place] += 1
    drawn = list(ungraded)
    for members, share in zip(strata.values(), shares, strict=True):
        rounds = [random.permutation(len(members)) for _ in range(-(-share // len(members)))]
        drawn += [members[place] for place in np.concatenate(rounds)[:share]] if rounds else []
    return [drawn[place] for place in random.permutation(len(drawn))]


def _shown(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
