"""Files that hold a split: JSON with a checksum, CSV, or the reference study's NPZ of positions."""

import csv
import json
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from gliobench.cohort import reference_study
from gliobench.grid.splits import Patients, Split, SplitError, shown


def write_split(split: Split, path: Path) -> None:
    """Write the split as JSON with its checksum, atomically."""
    content = {**split.content(), "checksum": split.checksum}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


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
    if strangers := sorted(set(split.everybody) - known):
        raise SplitError(
            f"{path}: {len(strangers)} patients of the split are not in the cohort ({len(known)} patients): "
            f"{shown(strangers)}; use the cohort that it was made for, or make a new split"
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
            always=tuple(map(str, content.get("always", ()))),
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
