"""A draft from a table: which columns are images, the mask, the class, the scan and the patient."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gliobench.cohort.draft.class_order import Classes, class_column, class_like, classes_in
from gliobench.cohort.draft.draft import Columns, Draft, Table, drafted, is_volume_name, name_of
from gliobench.cohort.draft.masks import masks_among, not_images
from gliobench.cohort.formats.volume_file import SUFFIXES
from gliobench.cohort.grades import NOTHING
from gliobench.cohort.layouts.dataset_json import image_name
from gliobench.cohort.layouts.table import BIDS, read_table, reads_as
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError

IDS = ("id", "scan_id", "case_id", "case", "subject_id", "subject", "participant_id", "patient_id", "patient", "name")
PATIENTS = ("patient", "patient_id", "subject_id", "subject", "participant_id")


def draft_table(table: Path, wanted: str | None) -> Draft:
    """A draft of a CSV or Parquet table. `wanted`: the column of the classes. Raises CohortError."""
    columns = _columns(table)
    volumes = _volumes(table, columns)
    mask, label_maps = masks_among({column: _files(table, columns[column]) for column in volumes}, table)
    images = [column for column in volumes if column not in {mask, *label_maps}]
    if not images:
        raise CohortError(f"{table}: {', '.join(volumes)} hold masks alone; expected a column of images too")
    others = {column: cells for column, cells in columns.items() if column not in volumes}
    classed = class_column(others, wanted, table)
    classes = classes_in(others[classed]) if classed else Classes()
    names = {column: image_name(column).lower() for column in images}
    problem = drafted(
        table,
        name=name_of(table),
        images={name: {"words": column} if column != name else None for column, name in names.items()},
        classes=classes.names,
        unknown=classes.unknown,
        ordered=classes.ordered,
    )
    of_scans = _of_scans(table, others)
    roles = of_scans | names | ({classed: "class"} if classed else {}) | ({mask: "mask"} if mask else {})
    return Draft(
        cohort=table,
        problem=problem,
        table=None if reads_as(list(columns), roles, problem) else _renamed(table, columns, roles, label_maps, problem),
        lacking=_lacking(columns, [*images, *([mask] if mask else [])], next(iter(of_scans))),
        notes=(*not_images(label_maps), *([] if classed else _possible(others))),
    )


def names_volumes(table: Path) -> bool:
    """Whether a column of a table names volumes."""
    try:
        return any(is_volume_name(str(cell).strip()) for row in read_table(table)[1] for cell in row)
    except CohortError:
        return False


def _columns(table: Path) -> dict[str, list[str]]:
    names, rows = read_table(table)
    columns = [str(name).strip() for name in names]
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise CohortError(f"{table}: the columns {', '.join(twice)} are duplicated: rename or remove them")
    filled = [row for row in rows if any(map(str.strip, row))]
    return {name: [row[place].strip() for row in filled] for place, name in enumerate(columns)}


def _volumes(table: Path, columns: Columns) -> list[str]:
    """The columns whose cells name volumes."""
    found = [column for column, cells in columns.items() if any(map(is_volume_name, cells))]
    if not found:
        raise CohortError(
            f"{table}: no column names images, as files that end in {', '.join(SUFFIXES)}; found {', '.join(columns)}"
        )
    for column in found:
        if not _files(table, columns[column]):
            raise CohortError(
                f"{table}: no file that the column {column} names exists, such as "
                f"{table.parent / next(filter(is_volume_name, columns[column]))}"
            )
    return found


def _files(table: Path, cells: Sequence[str]) -> list[Path]:
    paths = [table.parent / cell for cell in cells if is_volume_name(cell)]
    return [path for path in paths if path.exists()]


def _of_scans(table: Path, columns: Columns) -> dict[str, str]:
    """Which columns name the scan and, where several are of one, its patient; the scan's first."""
    lower = {column.lower(): column for column in columns}
    subject, session = (lower.get(name) or lower.get(bids) for bids, name in BIDS.items())
    if "id" not in lower and subject and session:
        return {subject: "subject", session: "session"}
    unique = [lower[name] for name in IDS if name in lower and _are_ids(columns[lower[name]])]
    if not unique:
        raise CohortError(
            f"{table}: no column names the scans: expected one of {', '.join(IDS)} with a value of its own in every "
            f"row; found {', '.join(columns)}"
        )
    patients = [lower[name] for name in PATIENTS if name in lower and lower[name] != unique[0]]
    several = [column for column in patients if column.lower() == "patient" or not _are_ids(columns[column])]
    return {unique[0]: "id"} | dict.fromkeys(several[:1], "patient")


def _are_ids(cells: Sequence[str]) -> bool:
    return all(cells) and len({*cells}) == len(cells)


def _lacking(columns: Columns, files: Sequence[str], scan: str) -> dict[str, list[str]]:
    """The scans without a file, by column."""
    return {
        column: [id for id, cell in zip(columns[scan], columns[column], strict=True) if cell.upper() in NOTHING]
        for column in files
    }


def _possible(columns: Columns) -> list[str]:
    possible = class_like(columns)
    hint = f"; by their number of values possible are {', '.join(possible)}: name one by --class" if possible else ""
    return [f"no column of classes was recognised{hint}"]


def _renamed(
    table: Path, columns: Columns, roles: Mapping[str, str], label_maps: Sequence[str], problem: Problem
) -> Table:
    """The table with the columns' names that are read; without columns that would be mistaken for others."""
    own = {role: role for role in roles.values()}
    others = [column for column in columns if column not in {*roles, *label_maps}]
    kept = [column for column in others if reads_as([*own, column], own, problem)]
    files = {column for column, role in roles.items() if role in (*problem.names, "mask")}
    cells = [_absolute(table, columns[column]) if column in files else columns[column] for column in (*roles, *kept)]
    return Table((*own, *kept), tuple(zip(*cells, strict=True)))


def _absolute(table: Path, cells: Sequence[str]) -> list[str]:
    return [str((table.parent / cell).resolve()) if is_volume_name(cell) else cell for cell in cells]
