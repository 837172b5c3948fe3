"""Every test patient drawn, one at a time: what is there and current is not drawn again."""

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.integrity import DamagedError, Stamp, listed, read_stamp, write_stamp
from gliobench.study.state.context import check_writable
from gliobench.study.state.folder import fingerprint
from gliobench.study.state.progress import Voice

if TYPE_CHECKING:
    from gliobench.report.contents import GalleryItem, OutlineItem

PAGE, ROWS, DRAWN = "outlines.html", "rows.html", "drawn.json"
DRAWING = 1  # goes up with every change after which the same answers are drawn otherwise
SLICES = 4  # of a patient


@dataclass(frozen=True)
class Plate:
    """One patient to draw. `inputs`: everything that decides what is drawn, as plain values; `outlines` and `slices`
    make what is drawn when they are called."""

    subject: str
    grade: int | None
    inputs: object
    outlines: Callable[[], Iterator["OutlineItem"]]
    slices: Callable[[], Iterator["GalleryItem"]]
    problem: Problem = GLIOMA


def write_atlas(plates: Sequence[Plate], models: Sequence[str], title: str, folder: Path, voice: Voice) -> Path:
    """Draw every patient that is not drawn yet, and put all on one page in `folder`; returns its path.

    Raises StageError for a folder that cannot be written.
    """
    from gliobench.report.atlas import write_page

    check_writable("--to", folder)
    folders = [folder / folder_name(plate.subject) for plate in plates]
    drawn = 0
    with voice.bar("outlines", len(plates)) as advance:
        for done, (plate, own) in enumerate(zip(plates, folders, strict=True), start=1):
            inputs = fingerprint(drawing=DRAWING, subject=plate.subject, models=models, inputs=plate.inputs)
            if not _is_drawn(own, inputs):
                _draw(plate, models, own, inputs)
                drawn += 1
            advance(done, plate.subject)
    voice.say(f"outlines: {drawn} patients drawn, {len(plates) - drawn} were there and current")
    page = folder / PAGE
    write_page(title, len(plates), models, (own / ROWS for own in folders), page)
    return page


def folder_name(subject: str) -> str:
    """A patient's folder: one that leads nowhere else and is no other patient's, whatever a patient is called."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", subject)[:80]
    if plain == subject:
        return plain
    return f"{plain}-{hashlib.sha256(subject.encode(errors='surrogatepass')).hexdigest()[:12]}"


def evenly(indices: Sequence[int], most: int = SLICES) -> list[int]:
    """At most `most` of the indices: the middles of as many equal parts."""
    if len(indices) <= most:
        return list(indices)
    return [indices[(2 * part + 1) * len(indices) // (2 * most)] for part in range(most)]


def _is_drawn(folder: Path, inputs: str) -> bool:
    try:
        stamp = read_stamp(folder / DRAWN)
    except DamagedError:
        return False
    return stamp is not None and stamp.inputs == inputs and not stamp.faults(folder)


def _draw(plate: Plate, models: Sequence[str], folder: Path, inputs: str) -> None:
    """Write the figures one by one, then the rows, and last the stamp that says that all are there."""
    from gliobench.report.atlas import Figure, Patient, write_rows
    from gliobench.report.outlines import said, write_outlines

    start, figures = time.perf_counter(), {}
    for item in plate.outlines():
        path = folder / f"{item.model}.png"
        write_outlines(item, path)
        figures[item.model] = Figure(f"{folder.name}/{path.name}", said(item))
    rows = folder / ROWS
    write_rows(Patient(plate.subject, plate.grade, figures, list(plate.slices()), plate.problem), models, rows)
    files = [*(folder / f"{model}.png" for model in figures), rows]
    write_stamp(folder / DRAWN, Stamp(inputs, time.perf_counter() - start, listed(files, folder)))
