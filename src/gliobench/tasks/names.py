"""Names of tasks in settings and study files, checked against the registry."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from gliobench.grid.regions import region_of_label
from gliobench.ranges import once
from gliobench.tasks.grade import GRADE
from gliobench.tasks.registry import TASKS

EXPECTED = 'expected a task, or one with its region: {box: core}, {box: {label: 1, words: "necrotic core"}}'
CLASS = "class"  # the task in a study file of another problem than gliomas


def task_name(name: Any) -> Any:
    """The name by which a task is kept, of what a person wrote: a name, or of a task asked of one region `{box: core}`
    or `{box: {label: 1, words: "necrotic core"}}`. Raises ValueError for another mapping, and for a task that has no
    region."""
    if isinstance(name, dict):
        return _of_region(name)
    return GRADE.name if name == CLASS and CLASS not in TASKS else name


def _of_region(written: dict[Any, Any]) -> str:
    task, region = next(iter(written.items()), (None, None))
    match region:
        case {"label": int(label), "words": str(words), **other} if words.strip() and label is not True and not other:
            region = region_of_label(label, words).title
    if len(written) != 1 or not isinstance(task, str) or not isinstance(region, str) or not region.strip():
        raise ValueError(EXPECTED)
    return TASKS[_known(task_name(task))].of_region(region).name


def _known(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"no task is named {name!r}; there are {', '.join(TASKS)}")
    return name


TaskName = Annotated[str, BeforeValidator(task_name), AfterValidator(_known)]
Tasks = Annotated[tuple[TaskName, ...], Field(min_length=1), AfterValidator(once)]
