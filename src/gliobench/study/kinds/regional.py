"""Entries whose key `tasks` says what they answer, in a study that asks tasks of one region each."""

from collections.abc import Sequence
from typing import TypeVar

from gliobench.grid.regions import Region
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.parts.region import as_asked
from gliobench.tasks.registry import plain

M = TypeVar("M", bound=ModelConfig)


def names_task(entry: ModelConfig, tasks: Sequence[str], task: str) -> bool:
    """Whether an entry with the key `tasks` answers a task of one region: one that it names, or, where it names none,
    one that is like those it answers anyway."""
    return task in tasks or ("tasks" not in entry.model_fields_set and plain(task) in tasks)


def with_tasks(entry: M, tasks: tuple[str, ...], region: Region) -> M:
    """An entry with the key `tasks` in a study of a region: they are called as in the study, and those of one region
    each join them."""
    named = (as_asked(task, entry.problem, region) for task in tasks)
    asked = tuple(dict.fromkeys((*named, *entry.regional)))
    return entry if asked == tasks else entry.model_copy(update={"tasks": asked})
