"""Entries of a study file for external answers: `replay:` instead of `models:`."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from gliobench.cohort.problem import GLIOMA
from gliobench.grid.frame import Plane
from gliobench.ranges import Real, Text
from gliobench.scoring.camps import Camp
from gliobench.study.config.study import read_file, read_whole
from gliobench.study.parts.base import Config, Name, Outside, WholeFile
from gliobench.study.parts.paths import resolved
from gliobench.study.parts.problem import ProblemConfig
from gliobench.study.parts.region import ALL_OF_IT, as_asked
from gliobench.tasks.coordinates import AS_ASKED, Coordinates
from gliobench.tasks.grade import GRADE
from gliobench.tasks.names import CLASS, TaskName
from gliobench.tasks.registry import TASKS, in_words

# The trivial baselines that stand beside recorded answers; of classes of gliomas it is `ALWAYS_HGG`.
MAJORITY, ALWAYS_HGG, MIDDLE, WHOLE = "majority-class", "always-hgg", "image-centre", "whole-slice"


class ReplayConfig(Config):
    """One set of answers: a folder or a file, what was asked, what the model is called, and how it was sampled.

    `optional`: it is used where the folder holds it, and left out, which is said, where not. `camp`: which camp of
    the planned comparisons it is of.
    """

    LATER: ClassVar = frozenset({"camp"})

    name: Name
    answers: Outside
    task: TaskName
    plane: Plane = "axial"
    coordinates: Coordinates = AS_ASKED
    sampling: str = ""
    optional: bool = False
    camp: Camp | None = None

    @field_validator("task")
    @classmethod
    def _is_answered_in_words(cls, task: str) -> str:
        if not TASKS[task].in_words:
            raise ValueError(f"recorded texts to it are not scored; expected one of {', '.join(in_words())}")
        return task


class ConstantConfig(Config):
    """Figures published for a model whose predictions are not to be had."""

    name: Name
    task: TaskName
    source: str
    figures: dict[str, Real]


class Replication(WholeFile):
    """A whole replication. `problem`: what the answers are about. `comparisons`: the planned comparisons, pairs of
    entries or trivial baselines, first minus second."""

    LATER: ClassVar = frozenset({"comparisons", "problem"})

    name: Name
    title: str = "Evaluation of external answers"
    cohort: str
    problem: ProblemConfig = GLIOMA
    replay: tuple[ReplayConfig, ...] = Field(min_length=1)
    comparisons: tuple[tuple[Text, Text], ...] = ()
    constants: tuple[ConstantConfig, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def majority(self) -> str:
        """The name of the trivial baseline of classes."""
        return ALWAYS_HGG if self.problem.classes == GLIOMA.classes else MAJORITY

    @property
    def trivial(self) -> tuple[str, ...]:
        """The trivial baselines that stand beside the answers."""
        return (self.majority, MIDDLE, WHOLE)

    @model_validator(mode="after")
    def _asks_about_its_problem(self) -> Self:
        if not self.problem.classes and any(config.task == GRADE.name for config in self.replay):
            raise ValueError(f"replay: an entry's task is {CLASS}, and {self.problem.name} has no classes")
        for config in self.replay:
            as_asked(config.task, self.problem, ALL_OF_IT.to_region(self.problem))
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [config.name.lower() for config in self.replay]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"replay: {', '.join(twice)} is duplicated; every entry needs a name of its own")
        return self

    @model_validator(mode="after")
    def _compares_what_there_is(self) -> Self:
        known = [*(config.name for config in self.replay), *self.trivial]
        if unknown := [name for pair in self.comparisons for name in pair if name not in known]:
            raise ValueError(f"comparisons: nothing is named {unknown[0]!r}; there are {', '.join(known)}")
        return self


def is_replication(path: Path) -> bool:
    """Whether a study file replays answers. Raises StudyError for what is not a readable YAML file."""
    content = read_file(path).content
    return isinstance(content, dict) and "replay" in content


def read_replication(path: Path) -> Replication:
    """Read and validate; paths are taken from where the file lies. Raises StudyError with the line of every mistake."""
    found = read_whole(path, Replication)
    parts = tuple(
        config.model_copy(update={"answers": resolved(path.parent, config.answers)}) for config in found.replay
    )
    return found.model_copy(update={"replay": parts})
