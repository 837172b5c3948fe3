"""One slice of one patient before inference: its modalities, its truth, and what each language model is shown.

The page shows the truth: it is for setting up a study, not for a report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliobench.cohort.problem import GLIOMA, Problem
from gliobench.grid.frame import SliceFrame
from gliobench.integrity import write_whole
from gliobench.models.server.png import png_url
from gliobench.report.contents import GalleryItem
from gliobench.report.gallery import draw_gallery
from gliobench.report.templates import style, template
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.mask import MASK, empty


@dataclass(frozen=True)
class Asked:
    """One task as a model is asked it: the text of the prompt, and the true answer exactly as it should be written."""

    task: str
    prompt: str
    answer: str


@dataclass(frozen=True, eq=False)
class SeenBy:
    """What a language model is shown of the slice, `picture` (rows, columns, 3) uint8, and what it is asked about it.

    `notes`: what else it is shown, or why it is asked nothing, in words.
    """

    model: str
    picture: NDArray[np.uint8]
    asked: Sequence[Asked]
    notes: Sequence[str]


@dataclass(frozen=True, eq=False)
class Look:
    """All that is on the page. `modalities`: by name, the slice as (rows, columns) uint8, in the order of the channels.
    `truth`: by task, in the slice's own pixels; empty where the slice has no target or the patient no mask, which
    `notes` say."""

    study: str
    subject: str
    grade: int | None
    frame: SliceFrame
    modalities: Mapping[str, NDArray[np.uint8]]
    truth: Mapping[str, Value]
    words: Mapping[str, str]
    models: Sequence[SeenBy]
    notes: Sequence[str]
    problem: Problem = GLIOMA


def write_look(look: Look, path: Path) -> None:
    """Write the page, which needs nothing else; the same look gives the same bytes."""
    write_whole(path, render_look(look).encode())


def render_look(look: Look) -> str:
    """The page as one HTML text."""
    strips = {name: draw_gallery([_item(look, image)], list(look.truth))[0] for name, image in look.modalities.items()}
    return template("look.html.j2").render(
        look=look,
        style=style(),
        strips=strips,
        first=next(iter(strips.values())),
        pictures={seen.model: png_url(seen.picture) for seen in look.models},
    )


def _item(look: Look, image: NDArray[np.uint8]) -> GalleryItem:
    """The pixel size comes with the mask, even an empty one."""
    mask = look.truth.get(MASK.name)
    return GalleryItem(
        subject=look.subject,
        grade=look.grade,
        plane=look.frame.plane,
        index=look.frame.index,
        image=image,
        truth=mask if isinstance(mask, Mask) else empty(look.frame),
        answers=look.truth,
        problem=look.problem,
    )
