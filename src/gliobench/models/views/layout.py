"""The layout of a view: a grid of panels, each one slice of one or three images."""

from collections.abc import Callable
from dataclasses import dataclass

from gliobench.cohort.problem import Problem

Modalities = tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """One slice in a view. `colours`: the modalities shown as red, green and blue; `away`: its distance in steps from
    the slice asked about, which has 0."""

    colours: tuple[str, str, str]
    away: int = 0


Grid = tuple[tuple[Panel, ...], ...]


@dataclass(frozen=True)
class Layout:
    """A kind of view. `version` changes whenever its pixels or words do: it is part of every record's key.

    `modalities`: how many images it shows. `slices`: how many slices it can show, the first is the default.
    `grid(modalities, slices)`: its panels, row by row. `words(problem, modalities, slices, step)`: what it shows, for
    the prompt; empty for a plain slice.
    """

    version: str
    modalities: int
    slices: tuple[int, ...]
    grid: Callable[[Modalities, int], Grid]
    words: Callable[[Problem, Modalities, int, int], str]


def grey(modality: str, away: int = 0) -> Panel:
    """A slice in shades of grey."""
    return Panel((modality, modality, modality), away)
