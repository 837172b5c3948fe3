"""The turns of a conversation about a slice, as chat templates take them: shared by inference and fine-tuning."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from gliobench.models.base.prediction import Question, setting_of_task
from gliobench.models.views.asking import asked_frame
from gliobench.models.views.view import View
from gliobench.tasks.answer import Answer, Answered
from gliobench.tasks.geometry import Value
from gliobench.tasks.prompt import Prompt
from gliobench.tasks.registry import plain, task_about

Turn = dict[str, Any]
NOTHING = "none"  # the answer without tumour in every prompt but the grade's


@dataclass(frozen=True)
class Shot:
    """A question with its true answer, shown to a model before it is asked; None where there is no tumour."""

    question: Question
    truth: Value | None


def question_text(question: Question, prompt: Prompt, view: View) -> str:
    """The prompt about the slice as the view shows it, after the view's description where it has one."""
    asked = prompt.about(view.shown_frame(asked_frame(question)))
    before = view.words_about(question.subject)
    return f"{before}\n{asked}" if before else asked


def answer_text(question: Question, value: Value | None, view: View) -> str:
    """An answer, verbatim, in the pixels of the view; None: there is no tumour. `value` is in the slice's own
    pixels."""
    return (
        NOTHING if value is None else task_about(question.subject.problem, question.task).write(view.from_frame(value))
    )


def read_answer(question: Question, text: str, cut_off: bool, view: View) -> Answer:
    """The typed answer of a text in the pixels of the view, in the slice's own pixels."""
    frame = asked_frame(question)
    task = task_about(question.subject.problem, question.task)
    answer = task.parse(text, view.shown_frame(frame), cut_off, view.coordinates)
    if not isinstance(answer, Answered) or answer.value is None:
        return answer
    return Answered(view.to_frame(answer.value, frame))


def question_turn(question: Question, prompt: Prompt, view: View) -> Turn:
    """The user's turn: the image, then the prompt about it; a model such as Mllama sees no image from text before it.
    Raises ModelError for a question about the whole volume."""
    image = Image.fromarray(view.render(question))
    return {
        "role": "user",
        "content": [{"type": "image", "image": image}, {"type": "text", "text": question_text(question, prompt, view)}],
    }


def answer_turn(question: Question, value: Value | None, view: View) -> Turn:
    """The model's turn, with the right answer; `value` in the slice's own pixels, None where there is no tumour."""
    return {"role": "assistant", "content": [{"type": "text", "text": answer_text(question, value, view)}]}


def shot_turns(shots: Sequence[Shot], prompt: Prompt, view: View) -> list[Turn]:
    """Questions and true answers in turn, to precede a question of the same task."""
    turns = []
    for shot in shots:
        turns += [question_turn(shot.question, prompt, view), answer_turn(shot.question, shot.truth, view)]
    return turns


def shots_identity(shots: Mapping[str, Sequence[Shot]], view: View) -> dict[str, str]:
    """Everything of the shots that can change an answer, as settings; none where there are no shots."""
    groups: dict[str, list[list[str | int]]] = {}
    for task, of_task in sorted(shots.items()):
        for shot in of_task:
            frame, said = asked_frame(shot.question), answer_text(shot.question, shot.truth, view)
            key = "shots" if task == plain(task) else setting_of_task(task, "shots")
            groups.setdefault(key, []).append([task, shot.question.subject.content, frame.plane, frame.index, said])
    return {
        key: f"{len(places)} sha256:{hashlib.sha256(json.dumps(places).encode()).hexdigest()}"
        for key, places in groups.items()
    }
