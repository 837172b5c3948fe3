"""The columns of the cohort's table that a study names."""

from collections.abc import Iterable

from gliobench.cohort.variables import Variables, unknown_column
from gliobench.study.config.study import Study, StudyError

SIZE = "size"  # of the target in ml, which every mask tells; a column of this name comes first


def check_subgroups(study: Study, patients: Iterable[Variables]) -> None:
    """Raise StudyError for a subgroup by a column that the table has not."""
    columns = [name for name in study.subgroups if name != SIZE]
    if fault := unknown_column(columns, patients):
        raise StudyError(f"{study.place('subgroups')}: {fault}")
