"""Checks and settings that language models in this process and on a server share."""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from gliobench.cohort.problem import Problem
from gliobench.grid.frame import SliceFrame
from gliobench.grid.regions import WHOLE
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question, setting_of_task
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.registry import TASKS, plain, task_about


def asked_frame(question: Question) -> SliceFrame:
    """The slice that a question is about. Raises ModelError for a question about the whole volume."""
    if question.frame is None:
        raise ModelError(
            f"{question.subject.id}: {question.task} was asked about the whole volume; "
            "a vision-language model sees one slice at a time"
        )
    return question.frame


def check_task(model: str, tasks: Collection[str], question: Question) -> None:
    """Raise ModelError where `model` is not set up for the question's task."""
    if question.task not in tasks:
        known = ", ".join(sorted(tasks))
        raise ModelError(f"{model} is not set up for the task {question.task!r}, only for {known}")


def check_names(what: str, names: set[str], known: Collection[str]) -> None:
    """Raise ModelError where a name is not known."""
    unknown = sorted(name for name in names if name not in known)
    if unknown:
        raise ModelError(f"unknown {what} {', '.join(unknown)}: expected some of {', '.join(known)}")


def known_prompts(tasks: Iterable[str], given: Mapping[str, Prompt], problem: Problem) -> dict[str, Prompt]:
    """The prompts of a model: of every task, and of those of `tasks` that are asked of one region; `given` first."""
    own = {task: TASKS[task].prompt for task in TASKS}
    regional = {task: task_about(problem, task).prompt_about(WHOLE) for task in tasks if task not in own}
    return {**own, **regional, **given}


def setting_name(kind: str, task: str) -> str:
    """The setting of a task's prompt, answer mode or shots: a task of one region leaves the keys of others alone."""
    return f"{kind}_{task}" if task == plain(task) else setting_of_task(task, kind)


def prompt_identity(prompt: Prompt, limit: int | None) -> str:
    """All of a prompt that can change an answer, on one line; `limit`: the longest answer, in tokens, if it has one."""
    digest = hashlib.sha256(prompt.text.encode()).hexdigest()
    bound = "" if limit is None else f" limit:{limit}"
    return f"{prompt.name} {prompt.version} sha256:{digest}{bound}"
