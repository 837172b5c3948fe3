"""BraTS 2020: `<id>/<id>_flair.nii.gz` and `name_mapping.csv` with the column `Grade`."""

from pathlib import Path

from gliobench.cohort.layouts.brats2018 import ENDINGS, MASK_ENDING
from gliobench.cohort.layouts.layout import Found, Layout, folder_subject, parse_grade, read_csv, sort_out, subfolders
from gliobench.cohort.subject import CohortError, Fault, Subject

TABLE = "name_mapping.csv"
ID_COLUMN = "BraTS_2020_subject_ID"


def _recognises(root: Path) -> bool:
    return (root / TABLE).is_file()


def _find(root: Path) -> Found:
    grades = read_grades(root / TABLE)
    return sort_out(_subject(folder, grades.get(folder.name)) for folder in subfolders(root))


def _subject(folder: Path, grade: str | None) -> Subject | Fault:
    """A folder that the table does not list has an unknown grade; a patient listed without a folder is not here."""
    try:
        return folder_subject(folder, parse_grade(grade), ENDINGS, MASK_ENDING)
    except ValueError as error:
        return Fault(folder.name, f"{error} in {TABLE}", folder)


def read_grades(table: Path) -> dict[str, str]:
    """The grade of each patient, by id, as the table has it. Raises CohortError."""
    names, rows = read_csv(table)
    if not {"Grade", ID_COLUMN} <= set(names):
        raise CohortError(f"{table}: expected the columns Grade and {ID_COLUMN}, found {', '.join(names)}")
    grades: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        id, grade = row[names.index(ID_COLUMN)], row[names.index("Grade")]
        if grades.setdefault(id, grade) != grade:
            raise CohortError(f"{table}, line {number}: {id} has two grades, {grades[id]} and {grade}")
    return grades


BRATS_2020 = Layout(
    "BraTS 2020", f"{TABLE} with a column Grade, and a folder a patient", frozenset({1, 2, 4}), _recognises, _find
)
