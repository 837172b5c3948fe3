"""Slices as a view shows them, as PNG files beside a file of JSON lines that names them."""

from collections.abc import Iterable
from pathlib import Path

from gliobench.models.base.prediction import Question
from gliobench.models.server.png import write_png
from gliobench.models.views.asking import asked_frame
from gliobench.models.views.view import View

IMAGES = "images"


def write_slices(questions: Iterable[Question], view: View, out: Path) -> list[str]:
    """Write the slice of every question into `out/images`, each once; returns the files' paths from `out`, one a
    question."""
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    names, written = [], set[str]()
    for question in questions:
        frame = asked_frame(question)
        name = f"{IMAGES}/{question.subject.id}-{frame.plane}-{frame.index:03d}.png"
        if name not in written:
            (out / name).write_bytes(write_png(view.render(question)))
            written.add(name)
        names.append(name)
    return names
