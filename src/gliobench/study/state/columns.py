"""The columns of the cohort's table that a study names."""

from collections.abc import Iterable

from gliobench.cohort.variables import Variables, unknown_column
from gliobench.study.config.study import Study, StudyError


def check_subgroups(study: Study, patients: Iterable[Variables]) -> None:
    """Raise StudyError for a subgroup by a column that the table has not."""
    if fault := unknown_column(study.subgroups, patients):
        raise StudyError(f"{study.place('subgroups')}: {fault}")
