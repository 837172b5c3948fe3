"""The source of a scan, its site or archive: from the cohort's table, `name_mapping.csv`, or the id itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gliobench.cohort.layouts.layout import read_csv
from gliobench.cohort.subject import Subject
from gliobench.cohort.variables import stated

SOURCE = "source"  # the variable that says it
COLUMNS = (SOURCE, "site", "centre", "center", "hospital", "institution")  # of a table, in any case; the first of these
NAME_MAPPING = "name_mapping.csv"  # of BraTS 2020: each patient's ids in the challenges before
_BRATS = re.compile(r"brats1[789]_([a-z0-9]+)_[a-z0-9]+_\d+", re.IGNORECASE)  # BraTS19_TCIA10_310_1
_TCGA = re.compile(
    r"tcga-([a-z0-9]{2})-[a-z0-9]{4}(?![a-z0-9]).*", re.IGNORECASE
)  # TCGA-CS-4942: CS is the tissue source site


def with_sources(subjects: Sequence[Subject], root: Path) -> list[Subject]:
    """The subjects, with the variable `source` where it is known.

    A column of the table with a name in `COLUMNS` decides for all patients; else the ids, those that
    `name_mapping.csv` in the cohort's folder gives for a patient included. Raises CohortError for such a file that
    cannot be read.
    """
    if column := _column(subjects):
        return [_with(one, stated(one.variables, column)) for one in subjects]
    mapped = _mapped(root if root.is_dir() else root.parent)
    return [_with(one, source_in(one.id) or mapped.get(one.id) or source_in(one.patient)) for one in subjects]


def source_in(id: str) -> str | None:
    """The source that an id names: the middle part of BraTS 2017 to 2019's, or TCGA and the tissue source site; None
    for any other id."""
    if found := _BRATS.fullmatch(id):
        return found[1].upper()
    if found := _TCGA.fullmatch(id):
        return f"TCGA-{found[1].upper()}"
    return None


def _column(subjects: Sequence[Subject]) -> str | None:
    there = {name.lower(): name for one in subjects for name in one.variables if stated(one.variables, name)}
    return next((there[name] for name in COLUMNS if name in there), None)


def _with(subject: Subject, source: str | None) -> Subject:
    return subject if source is None else replace(subject, variables={**subject.variables, SOURCE: source})


def _mapped(folder: Path) -> Mapping[str, str]:
    """The source of each id in `name_mapping.csv`, from the newest of the row's ids that names one."""
    table = folder / NAME_MAPPING
    rows = read_csv(table)[1] if table.is_file() else []
    found: dict[str, str] = {}
    for row in rows:
        ids = [cell.strip() for cell in row if cell.strip()]
        newest_first = sorted(filter(_BRATS.fullmatch, ids), key=str.lower, reverse=True)
        sources = [source for id in (*newest_first, *ids) if (source := source_in(id))]
        found |= dict.fromkeys(ids, sources[0]) if sources else {}
    return found
