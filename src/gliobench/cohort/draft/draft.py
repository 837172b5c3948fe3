"""What a data set seems to hold, before its voxels are read."""

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gliobench.cohort.formats.volume_file import SUFFIXES
from gliobench.cohort.problem import Problem
from gliobench.cohort.subject import CohortError

MASKS = ("mask", "seg", "segm", "segmentation", "label", "labels", "labelmap", "annotation", "roi")
NO_TARGETS = frozenset({"brain", "body", "lung", "lungs", "head"})  # before "mask": where the patient is
Columns = Mapping[str, Sequence[str]]  # the cells of a table by its columns


@dataclass(frozen=True)
class Table:
    """A table still to be written: its columns, and a row per scan; cells that name files are absolute paths."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def write(self, path: Path) -> None:
        """Write it as CSV; files below its folder are named relative to that."""
        folder = path.parent.resolve()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self.columns)
            writer.writerows([_relative(cell, folder) for cell in row] for row in self.rows)


def _relative(cell: str, folder: Path) -> str:
    below = is_volume_name(cell) and Path(cell).is_relative_to(folder)
    return os.path.relpath(cell, folder) if below else cell


@dataclass(frozen=True)
class Draft:
    """`cohort`: the folder or table that holds the data; `problem`: images, classes, and what a description says of
    masks; `table`: to be written in place of `cohort`, where that cannot be read as it is; `lacking`: the scans without
    an image or a mask that others have, by its name; `notes`: what was decided, for the reader."""

    cohort: Path
    problem: Problem
    table: Table | None = None
    lacking: Columns = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def drafted(source: Path, **content: Any) -> Problem:
    """A problem whose masks may hold anything. Raises CohortError where `content` breaks a rule of problems."""
    try:
        return Problem(**{"body": "everything", "absent": "allowed"} | content)
    except ValidationError as error:
        detail = error.errors()[0]
        key, message = detail["loc"][0] if detail["loc"] else "", detail["msg"].removeprefix("Value error, ")
        raise CohortError(
            f"{source}: {key}: {message} (found {detail['input']!r}): rename it, or write the study file yourself "
            "(docs/problems.md)"
        ) from None


def name_of(source: Path) -> str:
    """A name for the study and its problem, from the folder or the table's."""
    stem = source.resolve().parent.name if source.is_file() else source.resolve().name
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:60] or "my-data"


def is_volume_name(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """A file's name without the suffix of a volume."""
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def words_of(name: str) -> list[str]:
    """The words in a name, in lower case."""
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
