"""Entries of a study file for answers that somebody holds: `replay:` instead of `models:`."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from gliobench.grid.frame import Plane
from gliobench.study.config import StudyError, mistake
from gliobench.study.lines import key_lines
from gliobench.study.part import Name, Part


class ReplayPart(Part):
    """One set of answers: a folder or a file, what was asked, what the model is called, and how it was sampled."""

    name: Name
    answers: Path
    task: Literal["grade", "centre", "box", "polygon"]
    plane: Plane = "axial"
    sampling: str = ""


class ConstantPart(Part):
    """Figures published for a model whose predictions are not to be had."""

    name: Name
    task: Literal["grade", "centre", "box", "polygon", "mask"]
    source: str
    figures: dict[str, float]


class Replication(Part):
    """A whole replication."""

    name: Name
    title: str = "What held answers are worth"
    cohort: str
    replay: tuple[ReplayPart, ...] = Field(min_length=1)
    constants: tuple[ConstantPart, ...] = ()
    notes: tuple[str, ...] = ()


def is_replication(path: Path) -> bool:
    """Whether a study file replays answers; False for what is not a readable YAML file, which is said elsewhere."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(content, dict) and "replay" in content


def read_replication(path: Path) -> Replication:
    """Read and validate; paths are taken from where the file lies. Raises StudyError with the line of every mistake."""
    text = path.read_text(encoding="utf-8")
    try:
        lines = key_lines(text)
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not a readable YAML file: {error}") from error
    try:
        found = Replication.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise StudyError("\n".join(mistake(path, lines, detail) for detail in error.errors())) from None
    names = [part.name for part in found.replay]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(f"{path}: replay: {', '.join(twice)} stands there twice; every entry needs a name of its own")
    parts = tuple(part.model_copy(update={"answers": path.parent / part.answers}) for part in found.replay)
    return found.model_copy(update={"replay": parts})
