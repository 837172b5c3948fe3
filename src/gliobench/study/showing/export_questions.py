"""A model's questions as files, to be asked elsewhere: one PNG per slice as shown, one line of JSON per question."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gliobench.models.base.prediction import Question
from gliobench.models.language.conversation import question_text
from gliobench.models.views.asking import asked_frame
from gliobench.study.asking.questions import repeated_questions, slice_questions
from gliobench.study.kinds.base import ModelConfig
from gliobench.study.showing.slice_images import write_slices
from gliobench.study.state.context import Context, StageError
from gliobench.tasks.registry import TASKS

QUESTIONS = "questions.jsonl"


def write_questions(context: Context, name: str, out: Path) -> int:
    """Write `questions.jsonl` and `images/` into `out`, as the model of this name is asked; returns how many questions.

    Each line has the columns of a table of answers (`gliobench.replay.answers`) but `answer`, and `prompt` and `image`
    beside them. Raises StageError for a model that is shown no slices, or more than the slice that it is asked about.
    """
    config = _asked(context, name)
    view, prompts = config.picture, config.prompts_of(context.study.asked_region)
    assert view is not None
    lines, questions = [], list(_questions(context, config))
    for question, image in zip(questions, write_slices(questions, view, out), strict=True):
        frame = asked_frame(question)
        rows, columns = view.shown_frame(frame).shape
        prompt = prompts.get(question.task, TASKS[question.task].prompt)
        line: dict[str, Any] = {
            "subject": question.subject.id,
            "task": question.task,
            "plane": frame.plane,
            "slice": frame.index,
            "repeat": question.repeat,
            "rows": rows,
            "columns": columns,
            "content": question.subject.content,
            "prompt": question_text(question, prompt, view),
            "image": image,
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    (out / QUESTIONS).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _asked(context: Context, name: str) -> ModelConfig:
    config = next((config for config in context.study.models if config.name == name), None)
    if config is None or not config.spoken_tasks:
        spoken = [one.name for one in context.study.models if one.spoken_tasks]
        raise StageError(f"{name} is not a language model; the study has {', '.join(spoken) or 'none'}")
    if fault := config.asked_elsewhere_fault:
        raise StageError(f"{name}: {fault}")
    return config


def _questions(context: Context, config: ModelConfig) -> Iterator[Question]:
    tasks = [task for task in context.study.tasks if task in config.spoken_tasks]
    for plane in context.study.slices.planes:
        yield from slice_questions(context, context.tested, tasks, plane, config.name)
    if (again := context.study.consistency) and again.task in tasks and config.samples(again.task):
        yield from repeated_questions(context, again)
