"""Any data set described by a table: id, patient, grade, one column per modality, mask; paths relative to the table.

A row is a scan. Its patient comes from the column `patient`, or from `subject` and `session` as in BIDS, which also
give the id where there is no `id`; else from the form of the id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.grades import NOTHING, WHO_RULE, GradeError, read_grades
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
from gliobench.cohort.subject import MODALITIES, CohortError, Fault, Subject

ENDINGS = (".csv", ".parquet")
SYNONYMS = {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2", "seg": "mask", "label": "mask"}
BIDS = {"participant_id": "subject", "session_id": "session"}
OF_ID = ("id", "patient", "subject", "session")
WHO_COLUMNS = ("who_grade", "who grade", "who")  # read where there is no column grade


def _tables(root: Path) -> list[Path]:
    """The table itself, or the tables of a folder that have a column for every modality."""
    if root.is_file():
        return [root] if root.suffix.lower() in ENDINGS else []
    found = (path for path in sorted(root.iterdir()) if path.suffix.lower() in ENDINGS and path.name[0] != ".")
    return [path for path in found if path.is_file() and set(MODALITIES) < set(_columns(path))]


def _columns(table: Path) -> list[str]:
    """The columns' names in our terms; none where the file does not match its suffix."""
    try:
        names = csv_names(table) if table.suffix.lower() == ".csv" else _parquet_columns(table)
    except CohortError:
        names = []
    return [_column(name) for name in names]


def _parquet_columns(table: Path) -> list[str]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        return list(read_schema(table).names)
    except (OSError, ArrowException) as error:
        raise CohortError(f"{table}: not a Parquet table: {error}") from error


def _column(name: object) -> str:
    plain = str(name).strip().lower()
    return (SYNONYMS | BIDS).get(plain, plain)


def _recognises(root: Path) -> bool:
    return bool(_tables(root))


def _find(root: Path) -> Found:
    table, *others = _tables(root)
    if others:
        names = ", ".join(path.name for path in (table, *others))
        raise CohortError(f"{root}: {names} all have columns for the modalities: name the right one")
    sources, rows = _read(table)
    columns = _with_id([_column(name) for name in sources])
    grade = _grade_column(columns)
    made = {"id"} if {"subject", "session"} <= set(columns) else set()
    if missing := [name for name in ("id", *MODALITIES) if name not in {*columns, *made}]:
        raise CohortError(
            f"{table}: no column {', '.join(missing)}; expected id, {', '.join(MODALITIES)}, and grade, mask "
            f"and patient where they are known; found {', '.join(columns)}"
        )
    for name in (*OF_ID, grade, *MODALITIES, "mask", COLUMN):
        if len(same := [source for source, column in zip(sources, columns, strict=True) if column == name]) > 1:
            raise CohortError(f"{table}: the columns {' and '.join(same)} both mean {name}: rename or remove one")
    cells = [dict(zip(columns, map(str.strip, row), strict=True)) for row in rows]
    grades, who = read_grades([row.get(grade, "") for row in cells], who=grade in WHO_COLUMNS)
    found = sort_out(
        _subject(row, graded, table, number)
        for number, (row, graded) in enumerate(zip(cells, grades, strict=True), start=2)  # row 1: the columns' names
        if any(row.values())
    )
    return found._replace(notes=(WHO_RULE,) if who else ())


def _grade_column(columns: Sequence[str]) -> str:
    """`grade`, or else a column named after the WHO's grade."""
    return next((name for name in ("grade", *WHO_COLUMNS) if name in columns), "grade")


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
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


def _subject(row: Mapping[str, str], grade: int | GradeError | None, table: Path, number: int) -> Subject | Fault:
    id, patient = _id_and_patient(row)
    if not id:
        return Fault(f"row {number}", "no id", table)
    if wrong := wrong_id(id) or wrong_patient(patient):
        return Fault(f"row {number}", wrong, table)
    found = {name: _file(row[name], table) for name in MODALITIES}
    mask = _file(row.get("mask", ""), table)
    scheme = row.get(COLUMN, "").lower() or _named_scheme(id, row.get("mask", ""))
    if scheme and scheme not in SCHEMES:
        return Fault(id, f"{COLUMN} {scheme!r}: expected {', '.join(SCHEMES)} or nothing", table)
    subject = subject_of(id, None, found, mask, table, SCHEMES[scheme] if scheme else {})
    if isinstance(subject, Fault):
        return subject
    absent = [path for path in (*found.values(), mask) if path is not None and not _is_file(path)]
    if absent:
        return Fault(id, f"{table.name} names a file that is missing", absent[0])
    if isinstance(grade, GradeError):
        return Fault(id, str(grade), table)
    return replace(subject, grade=grade, patient=patient or subject.patient)


def _with_id(columns: Sequence[str]) -> list[str]:
    """The columns; `subject` means the id where there is no session."""
    return ["id" if name == "subject" and "session" not in columns else name for name in columns]


def _id_and_patient(row: Mapping[str, str]) -> tuple[str, str]:
    """A row's id and its patient, each "" where the table does not give it."""
    subject, session = row.get("subject", ""), row.get("session", "")
    patient = named_patient(row.get("patient", "")) or named_patient(subject)
    return row.get("id", "_".join(filter(None, (subject, session)))), patient


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an invalid file name
        return False


def _named_scheme(id: str, mask: str) -> str | None:
    """The numbering that the id, the mask's file or one of its folders is named after."""
    return next((scheme for name in (id, *Path(mask).parts[::-1]) if (scheme := scheme_of(name))), None)


def _file(cell: str, table: Path) -> Path | None:
    return None if cell.upper() in NOTHING else table.parent / cell


TABLE = Layout(
    "table", "a CSV or Parquet table with id, flair, t1, t1ce, t2", frozenset({1, 2, 3, 4}), _recognises, _find
)
