"""How a language model answers each task."""

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from gliobench.models.base.errors import ModelError
from gliobench.tasks.grade import GRADE

AnswerMode = Literal["free", "constrained", "choice"]
"""`free`: any text. `constrained`: text restricted to the task's format. `choice`: a class from the probabilities
of its answers, without generating text."""
ANSWER_MODES: tuple[AnswerMode, ...] = get_args(AnswerMode)


def mode_fault(tasks: Collection[str], modes: Mapping[str, str]) -> str | None:
    """Why the answer modes by task cannot be used by a model of `tasks`, None where they can."""
    for task, mode in modes.items():
        if mode not in ANSWER_MODES:
            return f"{task}: {mode!r} is not an answer mode; expected {', '.join(ANSWER_MODES)}"
        if task not in tasks:
            return f"{task} is not among the model's tasks {', '.join(tasks)}"
        if mode == "choice" and task != GRADE.name:
            return (
                f"{task}: `choice` compares the answers of {GRADE.name}, and {task} has no such list; use `constrained`"
            )
    return None


def checked_modes(tasks: Collection[str], modes: Mapping[str, AnswerMode]) -> dict[str, AnswerMode]:
    """Every task's answer mode, `free` where none is given. Raises ModelError."""
    if fault := mode_fault(tasks, modes):
        raise ModelError(f"answer: {fault}")
    return {task: modes.get(task, "free") for task in tasks}
