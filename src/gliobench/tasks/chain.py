"""From a finer answer to a coarser one, and from any answer in a slice to a mask.

Each task declares the finer ones that its values can be derived from (`Task.derived_from`): mask -> polygon -> box ->
centre, and those of other packages, all of one region. From a mask every coarser value is derived directly from its
pixels: the box is that of all tumour pixels, the polygon traces the largest component.
"""

from functools import cache

from gliobench.tasks.box import BOX
from gliobench.tasks.geometry import Box, Mask, Placed, Value
from gliobench.tasks.registry import TASKS, of_same_region, plain, task_of


@cache
def depth(task: str) -> int:
    """How many steps a task is coarser than the finest one that it can be derived from: 0 for a mask, 3 for a
    centre."""
    return max((depth(finer) + 1 for finer in TASKS[plain(task)].derived_from), default=0)


@cache
def coarser(task: str) -> tuple[str, ...]:
    """The tasks that an answer to `task` can be scored on: itself first, then the coarser ones in order."""
    follow = [other for other, found in TASKS.items() if plain(task) in found.derived_from]
    return (task, *(of_same_region(other, task) for other in sorted(follow, key=depth)))


def steps(source: str, task: str) -> int:
    """The steps between two tasks of which one is derived from the other; a larger number where neither is.

    `source`, `task`: of `TASKS`, or another name, such as that of an inner region.
    """
    if source == task:
        return 0
    if source not in TASKS or task not in TASKS or not (task in coarser(source) or source in coarser(task)):
        return len(TASKS)
    return abs(depth(task) - depth(source))


def coarsen(value: Value, task: str) -> Value | None:
    """The value of `task` derived from a value as fine or finer; None where a mask is empty.

    Raises ValueError where none can be derived, and TypeError for a whole patient's mask.
    """
    source, task = task_of(value).name, plain(task)
    if source == task:
        return TASKS[task].of_mask(value) if isinstance(value, Mask) else value
    if source not in TASKS[task].derived_from:
        raise ValueError(f"a {type(value).__name__} gives no {task}; only {', '.join(coarser(source))}")
    return TASKS[task].derived_from[source](value)


def box_of(value: Value) -> Box | None:
    """The smallest box around a value of a slice, without extent around a point: the one that follows from it, else the
    one around all that is drawn of it. None where it lies nowhere."""
    if not isinstance(value, Placed):
        return None
    task = task_of(value)
    if BOX.name in coarser(task.name):
        found = coarsen(value, BOX.name)
        assert found is None or isinstance(found, Box)
        return found
    drawing = task.drawn(value)
    points = [point for ring in (*drawing.rings, [drawing.cross] if drawing.cross else []) for point in ring]
    if not points:
        return None
    rows, columns = zip(*points, strict=True)
    return Box(value.frame, min(rows), min(columns), max(rows), max(columns))


def to_mask(value: Value) -> Mask:
    """The pixels of a box, a polygon or a mask, inside its frame. Raises TypeError for a value that is not an area."""
    return task_of(value).fill(value)
