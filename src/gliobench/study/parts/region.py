"""The key `region:` of a study file: which part of the tumour is asked about."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from gliobench.cohort.problem import Problem
from gliobench.grid.regions import Region, region_named, region_of_label, regions_of
from gliobench.ranges import Text, Whole
from gliobench.study.parts.base import Config
from gliobench.tasks.registry import TASKS, plain

EXPECTED = 'expected a region\'s name, or a label with its words: {label: 1, words: "necrotic core"}'


class RegionConfig(Config):
    """One of the problem's regions by name, or one label with what a prompt and the report call it.

    Labels of gliomas are as in BraTS 2018 to 2021, whatever the cohort's own numbering
    (`gliobench.cohort.label_schemes`): 1 the core that does not enhance, 2 oedema, 4 (in BraTS 2023 3) enhancing
    tumour.
    """

    name: Text | None = None
    label: Annotated[Whole, Field(ge=1, le=255)] | None = None
    words: Annotated[Text, Field(pattern=r"\S")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _a_name(cls, value: Any) -> Any:
        if isinstance(value, dict | RegionConfig):
            return value
        if not isinstance(value, str):
            raise ValueError(EXPECTED)
        return {"name": value}

    @model_validator(mode="after")
    def _a_name_or_a_label(self) -> Self:
        label = self.label is not None and self.words is not None
        if (self.name is not None) == label or (self.name is not None and (self.label or self.words)):
            raise ValueError(EXPECTED)
        return self

    def to_region(self, problem: Problem) -> Region:
        """The region itself. Raises ValueError for one that the problem has not."""
        known = regions_of(problem)
        if self.name is not None and self.name not in known:
            raise ValueError(f"no region is named {self.name!r}; there are {', '.join(known)}, or {EXPECTED}")
        if self.name is not None:
            return known[self.name]
        if self.label not in problem.labels:
            raise ValueError(f"label {self.label}: the problem {problem.name} has {sorted(problem.labels)}")
        assert self.label is not None
        assert self.words is not None
        return region_of_label(self.label, self.words)


def as_asked(task: str, problem: Problem, region: Region) -> str:
    """The name of a task in a study of `region`: asked of that very region it is the plain one. Raises ValueError where
    the problem has not the region that it is asked of."""
    own = TASKS[task].region_name
    return plain(task) if own is not None and region_named(problem, own) == region else task


ALL_OF_IT = RegionConfig(name="whole")
