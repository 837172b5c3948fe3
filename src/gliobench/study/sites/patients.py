"""Patients who would be counted twice: within a site, or at two of them."""

from collections.abc import Mapping

from gliobench.scoring.summary import Scores
from gliobench.study.sites.package import Export, MergeError

ENOUGH = 3  # equal figures that are no whole numbers: more than chance gives two patients


def check_patients(exports: Mapping[str, Export]) -> None:
    """Raise MergeError for a patient who is duplicated at a site, for one export given twice, and for patients of two
    sites of whom a model has the same figures to the last digit: keyed hashes cannot tell that they are the same."""
    sites: dict[str, str] = {}
    for site, export in exports.items():
        if export.digest in sites:
            raise MergeError(f"{export.path}: the export of {site} is that of {sites[export.digest]}: give it once")
        sites[export.digest] = site
        _once(export)
    seen: dict[object, tuple[str, str]] = {}
    for site, export in exports.items():
        for patient, figures in _figures(export.scores):
            other, known = seen.setdefault(figures, (site, patient))
            if other != site:
                raise MergeError(
                    f"{export.path}: patient {patient} of {site} has the same figures as patient {known} of {other}, "
                    "to the last digit: probably the same images at both sites. Take them out of one "
                    "(`exclude:` in its study file) and export it again"
                )


def _once(export: Export) -> None:
    for table, key in (
        (export.scores.per_subject, ["model", "task", "source", "plane", "metric", "patient"]),
        (export.scores.votes, ["model", "plane", "subject"]),
    ):
        twice = table[table.duplicated(key)]
        if len(twice):
            where = ", ".join(f"{name} {twice.iloc[0][name]}" for name in key)
            raise MergeError(f"{export.path}: a patient is duplicated ({where}): export the run again")


def _figures(scores: Scores) -> list[tuple[str, object]]:
    """Each patient with what tells it from others: of one model all figures that are no whole numbers."""
    rows = scores.per_subject
    rows = rows[rows["value"].notna() & (rows["value"] % 1 != 0)]
    found: list[tuple[str, object]] = []
    for (model, patient), own in rows.groupby(["model", "patient"], sort=False):
        if own["value"].nunique() >= ENOUGH:
            figures = own[["task", "source", "plane", "metric", "value"]].itertuples(index=False, name=None)
            found.append((str(patient), (model, frozenset(figures))))
    return found
