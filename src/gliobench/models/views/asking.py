"""Checks and settings that language models in this process and on a server share."""

import hashlib
from collections.abc import Collection

from gliobench.grid.frame import SliceFrame
from gliobench.models.base.errors import ModelError
from gliobench.models.base.prediction import Question
from gliobench.tasks.prompt import Prompt


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
    unknown = sorted(names - set(known))
    if unknown:
        raise ModelError(f"unknown {what} {', '.join(unknown)}: expected some of {', '.join(known)}")


def prompt_identity(prompt: Prompt, limit: int | None) -> str:
    """All of a prompt that can change an answer, on one line; `limit`: the longest answer, in tokens, if it has one."""
    digest = hashlib.sha256(prompt.text.encode()).hexdigest()
    bound = "" if limit is None else f" limit:{limit}"
    return f"{prompt.name} {prompt.version} sha256:{digest}{bound}"
