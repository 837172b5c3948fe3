"""What leaves a hospital: a run's figures and answers, patient by patient, without images, ids, dates and paths."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from pydantic import ValidationError

from gliobench.errors import GliobenchError
from gliobench.integrity import DamagedError, check_file, read_json
from gliobench.records.record import Record
from gliobench.records.store import RecordStore
from gliobench.scoring.summary import PER_SUBJECT, SUMMARY, Scores, problem_of, votes_columns
from gliobench.study.asking.answers import read_list
from gliobench.study.parts.stage import Stage
from gliobench.study.sites.identifiers import identifying, strings, unsearchable
from gliobench.study.sites.package import write_package
from gliobench.study.sites.pseudonyms import SALT, ExportError, Pseudonyms, pseudonyms
from gliobench.study.stages.description import StudyDescription
from gliobench.study.stages.score import DESCRIPTION, TABLES
from gliobench.study.state.context import check_apart, check_writable, read_prepared
from gliobench.study.state.folder import StudyFolder

HASHED = ("subject", "patient")


def export_run(run: Path, out: Path, *, texts: bool = False) -> str:
    """Write what may leave the run folder to `out`; returns one sentence that says what that is.

    `texts`: also what models wrote, and why it could not be read. Raises ExportError for a run that is not scored with
    this version, and where something would identify a patient or a place; then nothing is written.
    """
    folder = StudyFolder(run)
    prepared = read_prepared(folder)
    check_apart(Path(prepared["root"]), out)
    check_writable("--out", out.parent)
    study, scores = _description(folder), _scores(folder)
    key = pseudonyms(run)
    lines = list(_answers(folder, study, key, texts=texts))
    _check(study, scores, lines, _ids(prepared), texts=texts)
    hashed = replace(scores, per_subject=_hashed(scores.per_subject, key), votes=_hashed(scores.votes, key))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    digest = write_package(out, study, hashed, text, texts=texts)
    patients, said = hashed.per_subject["patient"].nunique(), "with" if texts else "without"
    return (
        f"{out}: figures of {patients} patients and {len(study.models)} models, and {len(lines)} answers {said} their "
        f"texts; no images, masks, dates or paths. Ids are keyed hashes, whose key stays in {run / SALT}: never send "
        f"it. SHA-256 of the manifest: {digest}"
    )


def _description(folder: StudyFolder) -> StudyDescription:
    path = folder.scores / DESCRIPTION
    try:
        check_file(path, folder.stamp(Stage("score")), folder.root)
        return StudyDescription.model_validate(read_json(path))
    except FileNotFoundError as error:
        raise ExportError(f"{path} is missing: run `gliobench score` on this run with this version first") from error
    except (DamagedError, ValidationError) as error:
        raise ExportError(f"{path} is damaged ({error}): run `gliobench score` again") from error


def _scores(folder: StudyFolder) -> Scores:
    tables = {}
    for name in TABLES:
        path = folder.scores / f"{name}.parquet"
        try:
            check_file(path, folder.stamp(Stage("score")), folder.root)
            tables[name] = pd.read_parquet(path)
        except (DamagedError, OSError, ValueError) as error:
            raise ExportError(f"{path} cannot be read ({error}): run `gliobench score` again") from error
    columns = {
        "per_subject": PER_SUBJECT,
        "summary": SUMMARY,
        "votes": votes_columns(problem_of(tables["votes"])),
    }
    try:
        return Scores(**{name: table[list(columns[name])] for name, table in tables.items()})
    except KeyError as error:
        raise ExportError(f"{folder.scores}: {error}: run `gliobench score` again with this version") from error


def _hashed(table: pd.DataFrame, key: Pseudonyms) -> pd.DataFrame:
    """The table with pseudonyms, sorted by them: the order of the ids would say something of them."""
    hashed = table.assign(**{column: table[column].map(key.of) for column in HASHED})
    places = {name: place for place, name in enumerate(dict.fromkeys(hashed["model"]))}
    return (
        hashed.assign(_place=hashed["model"].map(places))
        .sort_values(["_place", "subject"], kind="stable")
        .drop(columns="_place")
    )


def _ids(prepared: dict[str, Any]) -> set[str]:
    """All that a patient is called in the run."""
    scans = {name for entry in prepared["subjects"] for name in (entry["id"], entry.get("patient", ""))}
    return (scans | {fault["subject_id"] for fault in prepared["left_out"]}) - {""}


def _answers(folder: StudyFolder, study: StudyDescription, key: Pseudonyms, *, texts: bool) -> Iterator[dict[str, Any]]:
    """The answers that count, as plain JSON, of each model sorted by the patients' pseudonyms."""
    for model in study.models:
        path = folder.answers(model.name)
        found = RecordStore(path).records()
        try:
            records = [found[one] for one in read_list(folder.asked(model.name))]
        except KeyError as error:
            raise ExportError(f"{path}: answers are gone: run `gliobench repair {folder.root}` first") from error
        except GliobenchError as error:
            raise ExportError(f"{model.name}: {error}") from error
        lines = [_answer(record, key, texts=texts) for record in records]
        yield from sorted(lines, key=lambda line: line["subject"])


def _answer(record: Record, key: Pseudonyms, *, texts: bool) -> dict[str, Any]:
    """Without what could be traced or dated: keys and digests of images, masks, times, names of servers."""
    said = {"text": record.text, "reason": record.reason} if texts else {}
    return {
        "model": record.model,
        "subject": key.of(record.subject),
        "task": record.task,
        "plane": record.plane,
        "index": record.index,
        "oracle": list(record.oracle),
        "kind": record.kind,
        "value": _numbers(record.value),
        "score": record.score,
        "probabilities": record.probabilities,
        "tokens": record.tokens,
        "seconds": record.seconds,
        **said,
    }


def _numbers(value: Any) -> Any:
    """A value that consists of numbers alone; None of masks, which have a key, and of what another package writes."""
    plain = isinstance(value, dict) and not any(list(strings(one)) for one in value.values())
    return value if plain else None


def _check(study: StudyDescription, scores: Scores, lines: list[dict[str, Any]], ids: set[str], *, texts: bool) -> None:
    """Raise ExportError where something that would be written identifies a patient or a place."""
    if texts and (short := unsearchable(ids)):
        raise ExportError(
            f"--with-texts: {len(short)} ids are too short to be told from other words in a text ({short[0]}): leave "
            "it out"
        )
    described = strings(study.model_dump(mode="json"))
    tables = (
        str(text)
        for table in (scores.per_subject, scores.summary, scores.votes)
        for column in table.columns
        if column not in HASHED and not is_numeric_dtype(table[column])
        for text in table[column].dropna().unique()
    )
    said = [text for line in lines for text in strings([line.get("text"), line.get("reason")])]
    rest = (text for line in lines for text in strings({**line, "subject": "", "text": None, "reason": None}))
    for where, parts, dates in (
        ("the study's settings", described, False),
        ("the tables", tables, False),
        ("the answers", rest, False),
        ("the texts of the answers", said, True),
    ):
        if what := identifying(parts, sorted(ids), dates=dates):
            way = "leave --with-texts out" if dates else "take it out of the study file and run `gliobench run` again"
            raise ExportError(f"nothing was exported: {where} hold {what}, which must not leave the hospital: {way}")
