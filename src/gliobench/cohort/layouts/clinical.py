"""Tables of patients that lie beside their folders: classes and other columns by id, and which ids only one of the two
has."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gliobench.cohort.classes import ClassError, read_classes
from gliobench.cohort.grades import NOTHING
from gliobench.cohort.layouts.layout import read_csv
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, Subject, named

UNKNOWN = (*NOTHING, "NOT AVAILABLE")  # how tables say that a variable is not known

Rows = Mapping[str, Mapping[str, str]]  # cells by column, by id


@dataclass(frozen=True)
class Clinical:
    """What a table says of patients: the `rows`, the `column` of them with the class ("" for none), and the class of
    each id. `rules`: how the classes were read; `source`: the table's name."""

    source: str
    rows: Rows
    column: str
    classes: Mapping[str, int | ClassError | None]
    rules: tuple[str, ...] = ()

    def describe(self, subject: Subject | Fault) -> Subject | Fault:
        """The subject with its class and the other columns as variables, by its id or else its patient's; or the fault
        that the class cannot be read."""
        if isinstance(subject, Fault):
            return subject
        key = subject.id if subject.id in self.rows else subject.patient
        grade, row = self.classes.get(key), self.rows.get(key, {})
        if isinstance(grade, ClassError):
            return Fault(subject.id, f"{grade} in the column {self.column} of {self.source}")
        variables = {name: cell for name, cell in row.items() if name != self.column and cell.upper() not in UNKNOWN}
        return replace(subject, grade=grade, variables=variables)


def clinical(source: str, rows: Rows, wanted: Sequence[str], problem: Problem) -> Clinical:
    """What the rows say, with the class from the first of the `wanted` columns that there is, in upper or lower
    case."""
    columns = {name.lower(): name for row in rows.values() for name in row}
    column = next((columns[name.lower()] for name in wanted if name.lower() in columns), "")
    classes, rules = read_classes([row.get(column, "") for row in rows.values()], column, problem)
    return Clinical(source, rows, column, dict(zip(rows, classes, strict=True)), rules)


def last_table(folders: Iterable[Path], pattern: str) -> Path | None:
    """The last by name, so the newest version, of the tables with such a name in the first folder with one."""
    found = (sorted(folder.glob(pattern)) for folder in folders)
    return next((tables[-1] for tables in found if tables), None)


def read_rows(table: Path, id_column: str, named_id: Callable[[str], str] = str) -> Rows:
    """The rows of a table by `named_id` of what the column of ids has. Raises CohortError, also where two rows of one
    id differ."""
    names, cells = read_csv(table)
    lower = [name.lower() for name in names]
    if id_column.lower() not in lower:
        raise CohortError(f"{table}: expected a column {id_column}, found {', '.join(names)}")
    place = lower.index(id_column.lower())
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(cells, start=2):
        own = {name: cell.strip() for name, cell in zip(names, row, strict=True) if name and name != names[place]}
        if (id := named_id(row[place].strip())) and rows.setdefault(id, own) != own:
            raise CohortError(f"{table}, line {number}: {id} has another row that differs: remove one")
    return rows


def unmatched(table: Path, rows: Iterable[str], folders: Sequence[str], lost: str = "the grade is") -> Iterator[str]:
    """Notes on ids that only the table or only the folders have; `lost`: what is then not known. Raises CohortError
    where no id is in both."""
    listed, present = list(rows), set(folders)
    alone = [id for id in listed if id not in present]
    without = [id for id in folders if id not in set(listed)]
    if listed and folders and len(alone) == len(listed):
        raise CohortError(
            f"{table}: none of its {len(listed)} ids ({alone[0]}, …) is a patient's folder ({folders[0]}, …): "
            "correct the ids, or remove the table to continue without it"
        )
    if without:
        yield f"{named(without)}: not in {table.name}, so {lost} not known"
    if alone:
        yield f"{table.name} lists {named(alone)} without a folder"
