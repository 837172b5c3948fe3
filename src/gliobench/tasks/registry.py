"""Every task there is, the coarsest first. A new one is a file beside this and a line here, or another package's entry
point `gliobench.tasks`."""

from gliobench.plugins import plugins
from gliobench.tasks.base import Task
from gliobench.tasks.box import BoxTask
from gliobench.tasks.centre import CentreTask
from gliobench.tasks.geometry import Value
from gliobench.tasks.grade import GradeTask
from gliobench.tasks.mask import MaskTask
from gliobench.tasks.polygon import PolygonTask
from gliobench.tasks.prompt import Prompt, PromptError, read_prompt_file

__all__ = ["TASKS", "Prompt", "PromptError", "Task", "read_prompt_file", "task_of"]

BUILT_IN: tuple[type[Task], ...] = (GradeTask, CentreTask, BoxTask, PolygonTask, MaskTask)
TASKS: dict[str, Task] = {task.name: task() for task in (*BUILT_IN, *plugins("tasks").values())}


def task_of(value: Value) -> Task:
    """The task whose answer a value of a slice is. Raises TypeError for a whole patient's mask."""
    for task in TASKS.values():
        if isinstance(value, task.value_type):
            return task
    raise TypeError(f"a {type(value).__name__} is not an answer about one slice")
