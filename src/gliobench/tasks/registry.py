"""Every task, the coarsest first. To add one, write a file beside this and a line here, or another package's entry
point `gliobench.tasks`."""

from functools import cache

from gliobench.cohort.problem import Problem
from gliobench.plugins import PluginError, Registry
from gliobench.tasks.base import OF, Task
from gliobench.tasks.box import BOX
from gliobench.tasks.centre import CENTRE
from gliobench.tasks.geometry import Value
from gliobench.tasks.grade import GRADE
from gliobench.tasks.mask import MASK
from gliobench.tasks.polygon import POLYGON

BUILT_IN: tuple[Task, ...] = (GRADE, CENTRE, BOX, POLYGON, MASK)
# The tasks that a study, and those that language models are asked by default.
DEFAULT_TASKS = tuple(task.name for task in BUILT_IN)
DEFAULT_IN_WORDS = tuple(task.name for task in BUILT_IN if task.in_words)


def made_task(name: str, kind: type[Task]) -> Task:
    """The task of an entry point. Raises PluginError where it has another name."""
    if kind.name != name:
        raise PluginError(f"the entry point {name} of gliobench.tasks is the task {kind.name}: give both one name")
    return kind()


class Tasks(Registry[Task]):
    """All tasks; by a name such as `box of enhancing` a task asked of one region, which is not listed."""

    def __getitem__(self, name: str) -> Task:
        plain, of, region = name.partition(OF)
        return _of_region(super().__getitem__(plain), region) if of else super().__getitem__(name)


@cache
def _of_region(task: Task, region: str) -> Task:
    try:
        return task.of_region(region)
    except ValueError as error:
        raise KeyError(str(error)) from None


TASKS = Tasks("tasks", {task.name: task for task in BUILT_IN}, made_task)


def plain(name: str) -> str:
    """The name of a task without its region's."""
    return name.partition(OF)[0]


def of_same_region(name: str, task: str) -> str:
    """The plain task `name`, of the region that `task` is asked of."""
    return name + "".join(task.partition(OF)[1:])


@cache
def task_about(problem: Problem, name: str) -> Task:
    """A task in a study of a problem."""
    return TASKS[name].about(problem)


def task_words(name: str, problem: Problem) -> str:
    """What people read of a task; that about classes is called as the problem calls a class."""
    return problem.asked if name == GRADE.name else name


def task_of(value: Value) -> Task:
    """The task that a value of a slice answers. Raises TypeError for a whole patient's mask."""
    for task in TASKS.values():
        if isinstance(value, task.value_type):
            return task
    raise TypeError(f"a {type(value).__name__} is not an answer about one slice")


def in_words() -> list[str]:
    """The tasks whose recorded texts can be scored."""
    return [name for name, task in TASKS.items() if task.in_words]
