"""A stream of questions split where the way of asking changes; its order stays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from gliobench.models.base.prediction import Question
from gliobench.models.language.answer_modes import AnswerMode

Way = Literal["choice", "repeats", "text"]


@dataclass(frozen=True)
class ModeBatch:
    """Consecutive questions that are asked in the same way.

    `choice`: by the answers' probabilities. `repeats`: all have the same input, and several answers to it are
    generated. `text`: each answer is generated.
    """

    way: Way
    questions: list[Question]


def stretches(questions: Sequence[Question], modes: Mapping[str, AnswerMode]) -> Iterator[ModeBatch]:
    """Split the questions; `modes`: how each task is answered."""
    inputs = [list(group) for _, group in groupby(questions, key=_input)]
    for key, groups in groupby(inputs, key=lambda group: _key(group, modes)):
        yield ModeBatch(key[0], [question for group in groups for question in group])


def _key(group: list[Question], modes: Mapping[str, AnswerMode]) -> tuple[Way, object]:
    """How questions of one input are asked, and what distinguishes them from their neighbours."""
    if modes[group[0].task] == "choice":
        return "choice", None
    return ("repeats", _input(group[0])) if len(group) > 1 else ("text", None)


def _input(question: Question) -> tuple[object, ...]:
    """Everything that determines the model's input."""
    return (question.subject.id, question.subject.content, question.task, question.frame)
