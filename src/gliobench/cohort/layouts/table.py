"""Any data set described by a table: id, grade, one column a modality, mask; paths relative to the table."""

import csv
from collections.abc import Mapping
from pathlib import Path

from gliobench.cohort.layouts.layout import NOTHING, Found, Layout, parse_grade, read_csv, sort_out, subject_of
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
    table = _table_of(root)
    assert table is not None
    sources, rows = _read(table)
    columns = [_column(name) for name in sources]
    if missing := [name for name in ("id", *MODALITIES) if name not in columns]:
        raise CohortError(
            f"{table}: no column {', '.join(missing)}; expected id, {', '.join(MODALITIES)}, and grade and mask "
            f"where they are known; found {', '.join(columns)}"
        )
    for name in ("id", "grade", *MODALITIES, "mask"):
        if len(same := [source for source, column in zip(sources, columns, strict=True) if column == name]) > 1:
            raise CohortError(f"{table}: the columns {' and '.join(same)} both mean {name}: rename or remove one")
    return sort_out(
        _subject(dict(zip(columns, map(str.strip, row), strict=True)), table, number)
        for number, row in enumerate(rows, start=2)  # as a spreadsheet counts: the columns' names are row 1
        if any(row)
    )


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
    """The columns' names as they stand there, and the rows; an unknown value is an empty cell. Raises CohortError."""
    if table.suffix.lower() == ".csv":
        return read_csv(table)
    import pandas as pd
    from pyarrow import ArrowInvalid

    try:
        rows = pd.read_parquet(table)
    except (OSError, ArrowInvalid) as error:
        raise CohortError(f"{table}: not a Parquet table: {error}") from error
    cells = rows.astype(object).where(rows.notna(), "").astype(str)
    return list(map(str, rows.columns)), cells.to_numpy().tolist()


def _subject(row: Mapping[str, str], table: Path, number: int) -> Subject | Fault:
    id = row["id"]
    if not id:
        return Fault(f"row {number}", "no id", table)
    if id.startswith(".") or not id.isprintable() or set(id) & set("/\\"):
        return Fault(f"row {number}", f"the id {id!r} cannot be a file's name, and masks are written under it", table)
    found = {name: _file(row[name], table) for name in MODALITIES}
    mask = _file(row.get("mask", ""), table)
    absent = [path for path in (*found.values(), mask) if path is not None and not path.is_file()]
    if absent:
        return Fault(id, f"{table.name} names a file that is missing", absent[0])
    try:
        return subject_of(id, parse_grade(row.get("grade")), found, mask, table)
    except ValueError as error:
        return Fault(id, str(error), table)


def _file(cell: str, table: Path) -> Path | None:
    return None if cell.upper() in NOTHING else table.parent / cell


TABLE = Layout(
    "table", "a CSV or Parquet table with id, flair, t1, t1ce, t2", frozenset({1, 2, 3, 4}), _recognises, _find
)
