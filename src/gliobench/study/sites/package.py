"""An export as files: one ZIP or one folder, each file with its SHA-256 in the manifest, which has one of its own."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from gliobench.cohort.problem import GLIOMA
from gliobench.errors import GliobenchError
from gliobench.integrity import CHECKSUM, sealed_json, write_whole
from gliobench.scoring.summary import CLASSES, OF_PROBLEM, PER_SUBJECT, SUMMARY, Scores, votes_columns
from gliobench.study.sites.pseudonyms import ExportError
from gliobench.study.stages.description import StudyDescription

FORMAT = "gliobench-export-1"
MANIFEST, ANSWERS = "manifest.json", "answers.jsonl"
TABLES = {name: f"{name}.csv" for name in ("per_subject", "summary", "votes")}
FILES = (*TABLES.values(), ANSWERS)
MOST_BYTES = 2**31  # of one file: a ZIP may claim anything
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that a ZIP can have: the same export is the same bytes
WORDS = frozenset({  # columns that are no numbers
    *("model", "task", "source", "plane", "subject", "patient", "metric", "unit", "interval", "reason", "aggregate"),
})  # fmt: skip


class MergeError(GliobenchError, ValueError):
    """Exports that cannot be read or do not go together; the message says why."""


class Manifest(BaseModel):
    """What an export is of. `files`: SHA-256 by name; `patients`: those with a figure; `texts`: whether answers have
    their texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    study: StudyDescription
    patients: int
    texts: bool
    files: dict[str, str]


@dataclass(frozen=True, eq=False)
class Export:
    """An export that was read: `digest` is the SHA-256 of its manifest."""

    path: Path
    study: StudyDescription
    scores: Scores
    digest: str


def write_package(out: Path, study: StudyDescription, scores: Scores, answers: str, *, texts: bool) -> str:
    """Write an export as a ZIP, or as a folder where `out` does not end in `.zip`; returns the SHA-256 of its
    manifest. Raises ExportError where something is there already."""
    if out.exists():
        raise ExportError(f"--out {out} is there already: give another name, or delete it")
    files = {file: _csv(getattr(scores, name)) for name, file in TABLES.items()} | {ANSWERS: answers.encode()}
    manifest = Manifest(
        format=FORMAT,
        study=study,
        patients=scores.per_subject["patient"].nunique(),
        texts=texts,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    files = {MANIFEST: sealed_json(MANIFEST, manifest.model_dump(mode="json")), **files}
    if out.suffix.lower() == ".zip":
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
        write_whole(out, packed.getvalue())
    else:
        for name, content in files.items():
            write_whole(out / name, content)
    return hashlib.sha256(files[MANIFEST]).hexdigest()


def read_package(path: Path) -> Export:
    """Read an export and check all of it. Raises MergeError naming the file."""
    files = {name: _content(path, name) for name in (MANIFEST, *FILES)}
    manifest = _manifest(path, files[MANIFEST])
    for name in FILES:
        if hashlib.sha256(files[name]).hexdigest() != manifest.files.get(name):
            raise MergeError(f"{path}: {name} is damaged or was changed (its checksum does not match): export it again")
    problem = manifest.study.problem
    columns = dict(zip(TABLES, (PER_SUBJECT, SUMMARY, votes_columns(problem)), strict=True))
    tables = {name: _table(path, file, files[file], columns[name]) for name, file in TABLES.items()}
    if problem != GLIOMA:
        tables["votes"].attrs[OF_PROBLEM] = manifest.model_dump(mode="json")["study"]["problem"]
    return Export(path, manifest.study, Scores(**tables), hashlib.sha256(files[MANIFEST]).hexdigest())


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def _content(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            return (path / name).read_bytes()
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > MOST_BYTES:
                raise MergeError(f"{path}: {name} claims more than {MOST_BYTES} bytes: no export is as large")
            return archive.read(name)
    except (OSError, KeyError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise MergeError(
            f"{path}: {name} cannot be read ({error}); expected a ZIP or a folder that `gliobench export` wrote"
        ) from error


def _manifest(path: Path, content: bytes) -> Manifest:
    try:
        found: dict[str, Any] = json.loads(content)
        if found.get("format") != FORMAT:
            raise MergeError(f"{path}: format {found.get('format')!r}, expected {FORMAT}: export with this version")
        plain = {key: value for key, value in found.items() if key != CHECKSUM}
        if sealed_json(MANIFEST, plain) != content:
            raise MergeError(f"{path}: {MANIFEST} is damaged or was changed: export it again")
        return Manifest.model_validate(plain)
    except (ValidationError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, MergeError):
            raise
        raise MergeError(f"{path}: {MANIFEST} is not one of `gliobench export` ({error})") from error


def _table(path: Path, file: str, content: bytes, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(BytesIO(content), dtype="str", keep_default_na=False)  # floats by NumPy are exact
        if list(table.columns) != list(columns):
            raise MergeError(f"{path}: {file} has other columns than this version's: export it again")
        return table.assign(**{name: _numbers(table[name]) for name in columns if name not in WORDS})
    except (ValueError, OverflowError) as error:
        if isinstance(error, MergeError):
            raise
        raise MergeError(f"{path}: {file} cannot be read ({error}): export it again") from error


def _numbers(column: "pd.Series[str]") -> "pd.Series[Any]":
    """Empty is missing; raises ValueError for what is no number."""
    if column.name in CLASSES:
        return column.map(lambda text: int(text) if text else None).astype("Int64")
    numbers = column.replace("", "nan").astype(np.float64)
    return numbers.astype(np.int64) if str(column.name).startswith("n_") else numbers
