"""Any data set described by a table: id, grade, one column a modality, mask; paths relative to the table."""

import csv
from collections.abc import Mapping
from pathlib import Path

from gliobench.cohort.layouts.layout import Found, Layout, parse_grade, sort_out, subject_of
from gliobench.cohort.subject import MODALITIES, CohortError, Fault, Subject

ENDINGS = (".csv", ".parquet")
SYNONYMS = {"t2f": "flair", "t1n": "t1", "t1c": "t1ce", "t2w": "t2", "seg": "mask", "label": "mask", "subject": "id"}


def _table_of(root: Path) -> Path | None:
    """The table itself, or the first table of a folder that has a column for every modality."""
    if root.is_file():
        return root if root.suffix.lower() in ENDINGS else None
    tables = (path for path in sorted(root.iterdir()) if path.suffix.lower() in ENDINGS)
    return next((path for path in tables if set(MODALITIES) < set(_columns(path))), None)


def _columns(table: Path) -> list[str]:
    """The columns' names in our words; none where the file is not what its ending says."""
    if table.suffix.lower() == ".csv":
        with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            names = next(csv.reader(file), [])
    else:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import read_schema

        try:
            names = read_schema(table).names
        except ArrowInvalid:
            names = []
    return [_column(name) for name in names]


def _column(name: object) -> str:
    plain = str(name).strip().lower()
    return SYNONYMS.get(plain, plain)


def _recognises(root: Path) -> bool:
    return _table_of(root) is not None


def _find(root: Path) -> Found:
    import pandas as pd

    table = _table_of(root)
    assert table is not None
    rows = pd.read_csv(table, dtype=str) if table.suffix.lower() == ".csv" else pd.read_parquet(table).astype("str")
    rows = rows.rename(columns=_column)
    if missing := [name for name in ("id", *MODALITIES) if name not in rows.columns]:
        raise CohortError(
            f"{table}: no column {', '.join(missing)}; expected id, {', '.join(MODALITIES)}, and grade and mask "
            f"where they are known; found {', '.join(rows.columns)}"
        )
    records = rows.astype(object).where(rows.notna(), None).to_dict(orient="records")
    return sort_out(_subject({str(key): value for key, value in row.items()}, table) for row in records)


def _subject(row: Mapping[str, object], table: Path) -> Subject | Fault:
    id = str(row["id"])
    found = {name: _file(row.get(name), table) for name in MODALITIES}
    mask = _file(row.get("mask"), table)
    absent = [path for path in (*found.values(), mask) if path is not None and not path.is_file()]
    if absent:
        return Fault(id, f"{table.name} names a file that is missing", absent[0])
    try:
        return subject_of(id, parse_grade(row.get("grade")), found, mask, table)
    except ValueError as error:
        return Fault(id, str(error), table)


def _file(cell: object, table: Path) -> Path | None:
    text = "" if cell is None else str(cell).strip()
    return None if text in ("", "nan", "None", "<NA>") else table.parent / text


TABLE = Layout(
    "table", "a CSV or Parquet table with id, flair, t1, t1ce, t2", frozenset({1, 2, 3, 4}), _recognises, _find
)
