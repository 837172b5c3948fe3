"""Names of tasks in settings and study files, checked against the registry."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from gliobench.ranges import once
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

CLASS = "class"  # the task in a study file of another problem than gliomas


def task_name(name: Any) -> Any:
    """The name by which a task is kept, of one that a person wrote."""
    return GRADE.name if name == CLASS and CLASS not in TASKS else name


def _known(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"no task is named {name!r}; there are {', '.join(TASKS)}")
    return name


TaskName = Annotated[str, BeforeValidator(task_name), AfterValidator(_known)]
Tasks = Annotated[tuple[TaskName, ...], Field(min_length=1), AfterValidator(once)]
