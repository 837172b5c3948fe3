"""Names of tasks in settings and study files, checked against the registry."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gliobench.ranges import once
from gliobench.tasks.registry import TASKS


def _known(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"no task is named {name!r}; there are {', '.join(TASKS)}")
    return name


TaskName = Annotated[str, AfterValidator(_known)]
Tasks = Annotated[tuple[TaskName, ...], Field(min_length=1), AfterValidator(once)]
