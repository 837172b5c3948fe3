"""Any data set described by a table: id, patient, class, one column per image, mask; paths relative to the table.

A row is a scan. Its patient comes from the column `patient`, or from `subject` and `session` as in BIDS, which also
give the id where there is no `id`; else from the form of the id.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.classes import ClassError, read_classes
from gliobench.cohort.formats.dicom_files import holds_dicom
from gliobench.cohort.grades import NOTHING
from gliobench.cohort.label_schemes import COLUMN, SCHEMES, scheme_of
from gliobench.cohort.layouts.layout import (
    Found,
    Layout,
    csv_names,
    named_patient,
    read_csv,
    sort_out,
    subject_of,
    wrong_id,
    wrong_patient,
)
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, Subject

ENDINGS = (".csv", ".parquet")
SYNONYMS = {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2", "seg": "mask", "label": "mask"}  # where not named
BIDS = {"participant_id": "subject", "session_id": "session"}
OF_ID = ("id", "patient", "subject", "session")
ONLY_IMAGE = ("image", "volume", "scan")  # the column of a problem with one image, where none has the image's name
CLASS_COLUMNS = ("grade", "class", "who_grade", "who grade", "who")  # the first of these


def _tables(root: Path, problem: Problem) -> list[Path]:
    """The table itself, or the tables of a folder that have a column for every image."""
    if root.is_file():
        return [root] if root.suffix.lower() in ENDINGS else []
    found = (path for path in sorted(root.iterdir()) if path.suffix.lower() in ENDINGS and path.name[0] != ".")
    return [path for path in found if path.is_file() and _lower(problem) < set(_columns(path, problem))]


def _lower(problem: Problem) -> set[str]:
    return {name.lower() for name in problem.names}


def _with_only_image(columns: Sequence[str], problem: Problem) -> list[str]:
    """The columns, with the name of the problem's only image for a column called image, volume or scan."""
    name, *others = problem.names
    column = next((one for one in ONLY_IMAGE if one in columns), None)
    if others or column is None or name.lower() in columns:
        return list(columns)
    return [name.lower() if one == column else one for one in columns]


def _columns(table: Path, problem: Problem) -> list[str]:
    """The columns' names in our terms; none where the file does not match its suffix."""
    try:
        names = csv_names(table) if table.suffix.lower() == ".csv" else _parquet_columns(table)
    except CohortError:
        names = []
    return _with_only_image([_column(name, problem) for name in names], problem)


def _parquet_columns(table: Path) -> list[str]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        return list(read_schema(table).names)
    except (OSError, ArrowException) as error:
        raise CohortError(f"{table}: not a Parquet table: {error}") from error


def _column(name: object, problem: Problem) -> str:
    plain = str(name).strip().lower()
    return plain if plain in _lower(problem) else (SYNONYMS | BIDS).get(plain, plain)


def _recognises(root: Path, problem: Problem) -> bool:
    return bool(_tables(root, problem))


def _find(root: Path, problem: Problem) -> Found:
    table, *others = _tables(root, problem)
    if others:
        names = ", ".join(path.name for path in (table, *others))
        raise CohortError(f"{root}: {names} all have columns for the images: name the right one")
    sources, rows = read_table(table)
    columns = _with_only_image(_with_id([_column(name, problem) for name in sources]), problem)
    images = {name: name.lower() for name in problem.names}
    grade = next((name for name in CLASS_COLUMNS if name in columns), CLASS_COLUMNS[0])
    made = {"id"} if {"subject", "session"} <= set(columns) else set()
    if missing := [name for name in ("id", *images.values()) if name not in {*columns, *made}]:
        raise CohortError(
            f"{table}: no column {', '.join(missing)}; expected id, {', '.join(images)}, and {problem.asked}, mask "
            f"and patient where they are known; found {', '.join(columns)}"
        )
    for name in (*OF_ID, grade, *images.values(), "mask", COLUMN):
        if len(same := [source for source, column in zip(sources, columns, strict=True) if column == name]) > 1:
            raise CohortError(f"{table}: the columns {' and '.join(same)} both mean {name}: rename or remove one")
    cells = [dict(zip(columns, map(str.strip, row), strict=True)) for row in rows]
    grades, rules = read_classes([row.get(grade, "") for row in cells], grade, problem)
    used = {*OF_ID, grade, *images.values(), "mask", *_reader_columns(columns), COLUMN}
    other = {column: str(source).strip() for source, column in zip(sources, columns, strict=True) if column not in used}
    found = sort_out(
        _subject(row, graded, table, number, problem, other)
        for number, (row, graded) in enumerate(zip(cells, grades, strict=True), start=2)  # row 1: the columns' names
        if any(row.values())
    )
    return found._replace(notes=rules)


def read_table(table: Path) -> tuple[list[str], list[list[str]]]:
    """The columns' names as written, and the rows; an unknown value is an empty cell. Raises CohortError."""
    if table.suffix.lower() == ".csv":
        return read_csv(table)
    import pandas as pd
    from pyarrow import ArrowException

    try:
        rows = pd.read_parquet(table)
    except (OSError, ValueError, ArrowException) as error:
        raise CohortError(f"{table}: not a Parquet table: {error}") from error
    cells = rows.astype(object).where(rows.notna(), "").astype(str)
    return list(map(str, rows.columns)), cells.to_numpy().tolist()


def reads_as(columns: Sequence[str], roles: Mapping[str, str], problem: Problem) -> bool:
    """Whether a table with these columns is read as `roles` says: column -> id, patient, subject, session, class, mask
    or an image's name; and no other column is read as any of that."""
    plain = _with_only_image(_with_id([_column(name, problem) for name in columns]), problem)
    grade = next((name for name in CLASS_COLUMNS if name in plain), "")
    special = {*OF_ID, *CLASS_COLUMNS, "mask", COLUMN, *_lower(problem)}
    read = {column: name for column, name in zip(columns, plain, strict=True) if name in special}
    return {column: "class" if name == grade else name for column, name in read.items()} == {
        column: role.lower() for column, role in roles.items()
    }


def _subject(
    row: Mapping[str, str],
    grade: int | ClassError | None,
    table: Path,
    number: int,
    problem: Problem,
    variables: Mapping[str, str],
) -> Subject | Fault:
    id, patient = _id_and_patient(row)
    if not id:
        return Fault(f"row {number}", "no id", table)
    if wrong := wrong_id(id) or wrong_patient(patient):
        return Fault(f"row {number}", wrong, table)
    found = {name: _file(row[name.lower()], table) for name in problem.names}
    mask = _file(row.get("mask", ""), table)
    scheme = row.get(COLUMN, "").lower() or _named_scheme(id, row.get("mask", ""), problem)
    if scheme and scheme not in SCHEMES:
        return Fault(id, f"{COLUMN} {scheme!r}: expected {', '.join(SCHEMES)} or nothing", table)
    subject = subject_of(id, None, found, mask, table, SCHEMES[scheme] if scheme else {}, problem)
    if isinstance(subject, Fault):
        return subject
    absent = [path for path in (*found.values(), mask) if path is not None and not _is_volume(path)]
    if absent:
        return Fault(id, f"{table.name} names a file that is missing", absent[0])
    if isinstance(grade, ClassError):
        return Fault(id, str(grade), table)
    readers = tuple(path for name in _reader_columns(row) if (path := _file(row[name], table)))
    if lacking := [path for path in readers if not _is_volume(path)]:
        return Fault(id, f"{table.name} names a file that is missing", lacking[0])
    said = {name: row[column] for column, name in variables.items() if row[column]}
    return replace(subject, grade=grade, patient=patient or subject.patient, variables=said, readers=readers)


def _reader_columns(columns: Iterable[str]) -> list[str]:
    """The columns with the masks of single readers: `readers`, coded by bits, or `reader 1`, `reader_2`, …"""
    single = [name for name in columns if re.fullmatch(r"reader[ _]?[1-8]", name)]
    return sorted(single) or [name for name in columns if name == "readers"]


def _with_id(columns: Sequence[str]) -> list[str]:
    """The columns; `subject` means the id where there is no session."""
    return ["id" if name == "subject" and "session" not in columns else name for name in columns]


def _id_and_patient(row: Mapping[str, str]) -> tuple[str, str]:
    """A row's id and its patient, each "" where the table does not give it."""
    subject, session = row.get("subject", ""), row.get("session", "")
    patient = named_patient(row.get("patient", "")) or named_patient(subject)
    return row.get("id", "_".join(filter(None, (subject, session)))), patient


def _is_volume(path: Path) -> bool:
    """Whether a file is there, or a folder of DICOM slices."""
    try:
        return path.is_file() or holds_dicom(path)
    except OSError:  # an invalid file name
        return False


def _named_scheme(id: str, mask: str, problem: Problem) -> str | None:
    """The numbering that the id, the mask's file or one of its folders is named after, of gliomas alone."""
    if problem.reading != "glioma":
        return None
    return next((scheme for name in (id, *Path(mask).parts[::-1]) if (scheme := scheme_of(name))), None)


def _file(cell: str, table: Path) -> Path | None:
    return None if cell.upper() in NOTHING else table.parent / cell


TABLE = Layout("table", "a CSV or Parquet table with id and a column for each image", frozenset(), _recognises, _find)
