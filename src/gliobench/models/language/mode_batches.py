"""A stream of questions cut where the way of asking changes; its order stays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from gliobench.models.base.prediction import Question
from gliobench.models.language.answer_modes import AnswerMode

Way = Literal["choice", "repeats", "text"]


@dataclass(frozen=True)
class ModeBatch:
    """Questions one behind the other that are asked in one way.

    `choice`: the answers' probabilities are read. `repeats`: all have one and the same input, and more than one answer
    to it is written. `text`: each is answered in writing.
    """

    way: Way
    questions: list[Question]


def stretches(questions: Sequence[Question], modes: Mapping[str, AnswerMode]) -> Iterator[ModeBatch]:
    """Cut the questions; `modes`: how each task is answered."""
    inputs = [list(group) for _, group in groupby(questions, key=_input)]
    for key, groups in groupby(inputs, key=lambda group: _key(group, modes)):
        yield ModeBatch(key[0], [question for group in groups for question in group])


def _key(group: list[Question], modes: Mapping[str, AnswerMode]) -> tuple[Way, object]:
    """How questions of one input are asked, and what sets them apart from their neighbours."""
    if modes[group[0].task] == "choice":
        return "choice", None
    return ("repeats", _input(group[0])) if len(group) > 1 else ("text", None)


def _input(question: Question) -> tuple[object, ...]:
    """All that decides what the model sees."""
    return (question.subject.id, question.subject.content, question.task, question.frame)
