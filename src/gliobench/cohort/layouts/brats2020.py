"""BraTS 2020: `<id>/<id>_flair.nii.gz` and `name_mapping.csv` with the column `Grade`."""

from pathlib import Path

from gliobench.cohort.classes import ClassError, read_classes
from gliobench.cohort.layouts.brats2018 import ENDINGS, MASK_ENDING, has_endings
from gliobench.cohort.layouts.clinical import unmatched
from gliobench.cohort.layouts.layout import Found, Layout, folder_subject, patient_folders, read_csv, sort_out
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError, Fault, Subject

TABLE = "name_mapping.csv"
ID_COLUMN = "BraTS_2020_subject_ID"


def _recognises(root: Path, problem: Problem) -> bool:
    return has_endings(ENDINGS, problem) and (root / TABLE).is_file()


def _find(root: Path, problem: Problem) -> Found:
    table = read_grades(root / TABLE)
    folders, notes = patient_folders(root, table)
    parsed, rules = read_classes(list(table.values()), "Grade", problem)
    known = dict(zip(table, parsed, strict=True))
    found = sort_out(_subject(folder, known.get(folder.name), problem) for folder in folders)
    return found._replace(notes=(*notes, *rules, *unmatched(root / TABLE, table, [folder.name for folder in folders])))


def _subject(folder: Path, grade: int | ClassError | None, problem: Problem) -> Subject | Fault:
    """A folder that the table does not list has an unknown grade."""
    if isinstance(grade, ClassError):
        return Fault(folder.name, f"{grade} in {TABLE}", folder)
    return folder_subject(folder, grade, ENDINGS, MASK_ENDING, problem)


def read_grades(table: Path) -> dict[str, str]:
    """The grade of each patient, by id, as the table has it. Raises CohortError."""
    names, rows = read_csv(table)
    if not {"Grade", ID_COLUMN} <= set(names):
        raise CohortError(f"{table}: expected the columns Grade and {ID_COLUMN}, found {', '.join(names)}")
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        id, grade = row[names.index(ID_COLUMN)].strip(), row[names.index("Grade")].strip()
        if id and found.setdefault(id, grade) != grade:
            raise CohortError(f"{table}, line {number}: {id} has two grades, {found[id]} and {grade}")
    return found


BRATS_2020 = Layout(
    "BraTS 2020", f"{TABLE} with a column Grade, and one folder per patient", frozenset({1, 2, 4}), _recognises, _find
)
