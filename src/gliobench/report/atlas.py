"""Every patient on one page: a row of outlines in three dimensions, one row per slice shown, one column per model.

The rows of each patient are kept in a file of their own, so that the page can be rebuilt without drawing, and only one
patient's pictures are in memory.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.integrity import write_whole
from gliobench.report.contents import GalleryItem
from gliobench.report.gallery import class_words, draw_gallery
from gliobench.report.outlines import ANSWER, TRUTH
from gliobench.report.templates import style, template


@dataclass(frozen=True)
class Figure:
    """A figure in a file beside the page, and what it shows, in words."""

    file: str
    words: str


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient's rows. `figures`: by model; a model that is absent was not asked for a location."""

    subject: str
    grade: int | None
    figures: dict[str, Figure]
    slices: Sequence[GalleryItem]
    problem: Problem = GLIOMA


def write_rows(patient: Patient, models: Sequence[str], path: Path) -> None:
    """Write the rows of one patient, a piece of the page with one column per model."""
    rows = template("atlas_rows.html.j2", quote=quote).render(
        patient=patient,
        grade=class_words(patient.problem, patient.grade),
        key=hashlib.sha256(patient.subject.encode(errors="surrogatepass")).hexdigest()[:16],  # ids on the page
        strips=draw_gallery(patient.slices, list(models)),
        models=models,
    )
    write_whole(path, rows.encode(errors="replace"))


def write_page(title: str, n_patients: int, models: Sequence[str], rows: Iterable[Path], path: Path) -> None:
    """Join the patients' rows in their order, one at a time; the page replaces the old one only when it is whole."""
    pieces = (Markup(piece.read_text(encoding="utf-8")) for piece in rows)
    partial = path.with_name(f".{path.name}.partial")
    page = template("atlas.html.j2").stream(
        title=title,
        style=style(),
        models=models,
        n_patients=n_patients,
        rows=pieces,
        colours={"truth": TRUTH, "answer": ANSWER},
    )
    with partial.open("wb") as file:
        page.dump(file, encoding="utf-8")
    partial.replace(path)
