"""Every task there is. A new one is a file beside this and a line here."""

from collections.abc import Callable
from dataclasses import dataclass

from gliobench.grid.frame import SliceFrame
from gliobench.tasks import box, centre, grade, mask, polygon
from gliobench.tasks.answer import Answer
from gliobench.tasks.coordinates import Coordinates
from gliobench.tasks.geometry import Mask, Value
from gliobench.tasks.prompt import Prompt, PromptError, own_prompt, read_prompt_file

__all__ = ["TASKS", "Prompt", "PromptError", "Task", "read_prompt_file"]


@dataclass(frozen=True)
class Task:
    """What is asked about a slice.

    `prompt`: the question in words. `parse(text, frame, cut_off, coordinates)`: the typed answer of a text, whatever
    the text; `cut_off` is True where the token limit ended it, `coordinates` is how the model counts places.
    `write(value)`: the exact text of an answer in the prompt's format, in whole pixels. `truth(mask)`: the answer that
    the tumour of a slice, or the region of it that is asked about, gives, None where there is none; raises TypeError
    for `grade`, which no mask tells.
    """

    name: str
    prompt: Prompt
    parse: Callable[[str, SliceFrame, bool, Coordinates], Answer]
    write: Callable[[Value], str]
    truth: Callable[[Mask], Value | None]


TASKS: dict[str, Task] = {
    name: Task(name, own_prompt(name), task.parse, task.write, task.truth)
    for name, task in (("grade", grade), ("centre", centre), ("box", box), ("polygon", polygon), ("mask", mask))
}
