"""Who is learnt from, who decides, who is tested: by patient, written down, and never overlapping."""

import hashlib
import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Ids = tuple[str, ...]


class SplitError(ValueError):
    """A split that cannot be made, read or trusted; the message names the patients or the file."""


@dataclass(frozen=True)
class Fold:
    """The patients of one fold. Raises SplitError where one stands in two places."""

    train: Ids
    validation: Ids
    test: Ids

    def __post_init__(self) -> None:
        _no_overlap({"training": self.train, "validation": self.validation, "test": self.test})


@dataclass(frozen=True)
class Split:
    """Test patients and k folds of the others; `source` says where it comes from.

    Raises SplitError where a patient stands in two places, or twice in one, or a fold is empty.
    """

    test: Ids
    folds: tuple[Ids, ...]
    seed: int | None
    source: str

    def __post_init__(self) -> None:
        if len(self.folds) < 2:
            raise SplitError(f"a split needs at least 2 folds, got {len(self.folds)}")
        named = {f"fold {number}": fold for number, fold in enumerate(self.folds)}
        if empty := [name for name, fold in named.items() if not fold]:
            raise SplitError(f"{', '.join(empty)} of {len(self.folds)} without a patient: use fewer folds")
        _no_overlap({"test": self.test, **named})

    @property
    def checksum(self) -> str:
        """SHA-256 (hexadecimal) of all that the split says."""
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def fold(self, number: int) -> Fold:
        """Fold `number` (from 0) validates, the others train. Raises SplitError where there is no such fold."""
        if not 0 <= number < len(self.folds):
            raise SplitError(
                f"fold {number} does not exist: the split ({self.source}) has folds 0 to {len(self.folds) - 1}"
            )
        train = sorted(id for other, fold in enumerate(self.folds) if other != number for id in fold)
        return Fold(tuple(train), self.folds[number], self.test)

    def _content(self) -> dict[str, Any]:
        return {"source": self.source, "seed": self.seed, "test": self.test, "folds": self.folds}


def _no_overlap(parts: Mapping[str, Ids]) -> None:
    places: dict[str, list[str]] = {}
    for name, ids in parts.items():
        for id in ids:
            places.setdefault(id, []).append(name)
    shared = [f"{id} ({' and '.join(names)})" for id, names in sorted(places.items()) if len(names) > 1]
    if shared:
        raise SplitError(f"{len(shared)} patients stand in more than one place of the split: {_shown(shared)}")


def make_split(grades: Mapping[str, int | None], *, test_share: float, folds: int, seed: int) -> Split:
    """A test share and k folds, each with the grades in the cohort's proportion as nearly as whole patients allow.

    Patients without a grade are a stratum of their own. The test set is `test_share` of the patients, rounded, at least
    one; its strata are rounded by largest remainder. Folds differ by one patient at most, in all and in each stratum.
    Depends on ids, grades and seed, not on the order of `grades`.
    Raises SplitError where fewer patients than folds are left to learn from.
    """
    if not 0 < test_share < 1:
        raise SplitError(f"test_share must lie between 0 and 1, got {test_share}")
    tested = max(1, math.floor(len(grades) * test_share + 0.5))
    if len(grades) - tested < folds:
        raise SplitError(
            f"{len(grades)} patients, {tested} of them for the test, leave {len(grades) - tested} for {folds} folds: "
            "every fold needs one; use fewer folds, a smaller test share or more patients"
        )
    random = np.random.default_rng(seed)
    strata = []
    for grade in sorted(set(grades.values()), key=lambda grade: (grade is None, grade)):
        members = sorted(id for id, found in grades.items() if found == grade)
        strata.append([members[place] for place in random.permutation(len(members))])
    shares = _rounded_shares([len(stratum) for stratum in strata], tested)
    test = [id for stratum, share in zip(strata, shares, strict=True) for id in stratum[:share]]
    rest = [id for stratum, share in zip(strata, shares, strict=True) for id in stratum[share:]]
    # Dealt out in turn, stratum after stratum, so that no fold gets two more than another.
    dealt = tuple(tuple(sorted(rest[number::folds])) for number in range(folds))
    return Split(tuple(sorted(test)), dealt, seed, "stratified by grade")


def _rounded_shares(sizes: Sequence[int], total: int) -> list[int]:
    """`total` divided in proportion to `sizes` by largest remainder (Hamilton's method)."""
    exact = [size * total / sum(sizes) for size in sizes]
    shares = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda place: (shares[place] - exact[place], place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return shares


def write_split(split: Split, path: Path) -> None:
    """Write the split as JSON with its checksum, whole or not at all."""
    content = {**split._content(), "checksum": split.checksum}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def read_split(path: Path, subject_ids: Sequence[str]) -> Split:
    """Read a split and hold it against the patients that there are.

    Either JSON as `write_split` leaves it, or the reference study's NPZ of indices (see `_study_split`).
    Raises SplitError: not such a file, its checksum does not fit, overlap, ids that are not among `subject_ids`.
    Patients that the split does not name are in no part of it.
    """
    split = _study_split(path, subject_ids) if path.suffix == ".npz" else _json_split(path)
    known = set(subject_ids)
    if strangers := sorted({id for part in (split.test, *split.folds) for id in part} - known):
        raise SplitError(
            f"{path}: {len(strangers)} patients of the split are not in the cohort ({len(known)} patients): "
            f"{_shown(strangers)}; take the cohort that it was made for, or make a new split"
        )
    return split


def _json_split(path: Path) -> Split:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        split = Split(
            test=tuple(map(str, content["test"])),
            folds=tuple(tuple(map(str, fold)) for fold in content["folds"]),
            seed=content["seed"],
            source=content["source"],
        )
        checksum = content["checksum"]
    except FileNotFoundError as error:
        raise SplitError(f"{path}: no such split file; `gliobench split` makes one") from error
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SplitError(f"{path}: not a split as `gliobench split` writes it ({error!r})") from error
    if checksum != split.checksum:
        raise SplitError(
            f"{path}: the checksum does not fit: found {checksum}, the content gives {split.checksum}; "
            "the file was changed after it was made: restore it, or make a new split"
        )
    return split


def _study_split(path: Path, subject_ids: Sequence[str], modalities: int = 4) -> Split:
    """The reference study's five folds: `val_inds_k` count images, `modalities` in a row for each patient.

    Positions are those in the sorted ids; patients after the last position are the test patients. (The study counted
    in the order of its own shuffled list, which the file does not hold: the folds have its sizes, not its patients.)
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            count = int(file["num_folds"])
            parts = [(np.asarray(file[f"train_inds_{k}"]), np.asarray(file[f"val_inds_{k}"])) for k in range(count)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SplitError(
            f"{path}: not a file of fold indices (num_folds, train_inds_k, val_inds_k): {error}"
        ) from error
    folds = [np.unique(validation // modalities) for _, validation in parts]
    positions = np.sort(np.concatenate(folds)) if folds else np.empty(0, int)
    if not np.array_equal(positions, np.arange(len(positions))):
        raise SplitError(f"{path}: the validation folds do not hold every patient from 0 on exactly once")
    for number, (train, validation) in enumerate(parts):
        both = np.sort(np.concatenate([train, validation]))
        if not np.array_equal(both, np.arange(modalities * len(positions))):
            raise SplitError(f"{path}: training and validation of fold {number} overlap or leave images out")
    ids = sorted(subject_ids)
    if len(ids) < len(positions):
        raise SplitError(f"{path}: the folds count {len(positions)} patients, the cohort has {len(ids)}")
    named = tuple(tuple(ids[position] for position in fold) for fold in folds)
    return Split(tuple(ids[len(positions) :]), named, None, path.name)


def oversample(ids: Sequence[str], grades: Mapping[str, int | None], seed: int) -> list[str]:
    """Training ids with the rarer grade repeated until both are equally frequent; give it the ids of `Fold.train` only.

    Whole rounds of repeats first, then patients drawn without replacement. Patients without a grade stand once, and
    where only one grade occurs nothing is repeated. The repeats follow the ids.
    """
    counts = Counter(grades[id] for id in ids if grades[id] is not None)
    if len(counts) < 2:
        return list(ids)
    (_, most), (rare, least) = counts.most_common()[0], counts.most_common()[-1]
    members = [id for id in ids if grades[id] == rare]
    rounds, drawn = divmod(most - least, least)
    chosen = np.random.default_rng(seed).choice(least, size=drawn, replace=False)
    return [*ids, *members * rounds, *(members[place] for place in sorted(chosen))]


def _shown(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
